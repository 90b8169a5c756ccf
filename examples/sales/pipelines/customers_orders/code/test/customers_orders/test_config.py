import unittest

from sales_functions.config import ConfigError

from customers_orders.config.Config import Config
from customers_orders.config.ConfigStore import read_config


class ConfigTest(unittest.TestCase):
    def test_default_is_what_the_class_says(self):
        self.assertEqual(read_config([]), Config())

    def test_instances_write_apart(self):
        targets = {name: read_config(["-i", name]).customer_totals for name in ("default", "dev", "qa", "prod")}
        self.assertEqual(targets, {name: name + "/customer_totals" for name in targets})

    def test_an_override_beats_the_instance(self):
        config = read_config(["-i", "prod", "-O", '{"min_total_eur": 1}', "-C", "x=y", "-f"])
        self.assertEqual((config.min_total_eur, config.statuses), (1, ["delivered"]))

    def test_what_nobody_knows_is_refused(self):
        for argv in (["-i", "nowhere"], ["-O", '{"min_totl": 1}'], ["-O", "[]"], ["-O", "{"]):
            with self.assertRaises(ConfigError):
                read_config(argv)
