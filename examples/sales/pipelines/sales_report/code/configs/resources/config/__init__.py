# Several wheels hold a package of this name; where they lie side by side on the path, it is made of all of them.
from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
