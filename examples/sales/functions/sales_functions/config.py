"""Config instances: which file a run reads, and what lies over what.

From weak to strong: the defaults of the pipeline's Config class, the instance named by -i, the JSON given by -O.
A field that Config does not know is an error: a typing mistake must not run with a default.
"""

import argparse
import dataclasses
import json
from importlib import resources
from pathlib import Path


class ConfigError(Exception):
    """The configuration of this run cannot be used; the text says why."""


def parse_args(argv):
    """-i and -O of a run. Schedulers add options of their own (-C, -f); those are not for us."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-i", dest="instance", default="default")
    parser.add_argument("-O", dest="overrides", default="{}")
    return parser.parse_known_args(argv)[0]


def load(cls, package, argv):
    """The configuration of one run of the pipeline in `package`, as an object of the dataclass `cls`."""
    args = parse_args(argv)
    values = _object(_instance_text(package, args.instance), f"config instance '{args.instance}'")
    values.update(_object(args.overrides, "-O"))
    unknown = sorted(set(values) - {field.name for field in dataclasses.fields(cls)})
    if unknown:
        raise ConfigError(f"'{package}' has no configuration field '{unknown[0]}'")
    return cls(**values)


def _object(text, what):
    try:
        value = json.loads(text)
    except ValueError as err:
        raise ConfigError(f"{what} is not JSON: {err}") from None
    if not isinstance(value, dict):
        raise ConfigError(f"{what} is not a JSON object")
    return value


def _instance_text(package, instance):
    folder = _instances(package)
    names = sorted(f.name[:-len(".json")] for f in folder.iterdir() if f.name.endswith(".json"))
    if instance not in names:
        raise ConfigError(f"'{package}' has no config instance '{instance}', only {', '.join(names)}")
    return (folder / (instance + ".json")).read_text(encoding="utf-8")


def _instances(package):
    """The wheel's copy; without a wheel (a test in the work tree) the folder that it is made from."""
    try:
        return resources.files("prophecy_config_instances." + package)
    except ModuleNotFoundError:
        return Path(resources.files(package)).parent / "configs" / "resources" / "config"
