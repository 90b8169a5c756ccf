from .announce import announce
from .pick_day import pick_day

__all__ = ["announce", "pick_day"]
