from setuptools import find_packages, setup

# The wheel is self-contained: beside the pipeline it holds the project's shared code and the config instances. These lie
# in it twice: a cluster that installs several pipelines keeps only one prophecy_config_instances/dev.json, so a pipeline
# reads those below its own name.
setup(
    name='sales_report',
    version='1.0',
    description='sales by country',
    packages=find_packages(include=('sales_report*',)) + [
        'prophecy_config_instances',
        'prophecy_config_instances.sales_report',
        'sales_functions',
        'clean_orders',
    ],
    package_dir={
        'prophecy_config_instances': 'configs/resources/config',
        'prophecy_config_instances.sales_report': 'configs/resources/config',
        'sales_functions': '../../../functions/sales_functions',
        'clean_orders': '../../../subgraphs/clean_orders',
    },
    package_data={
        'prophecy_config_instances': ['*.json', '*.conf'],
        'prophecy_config_instances.sales_report': ['*.json', '*.conf'],
    },
    data_files=[('.prophecy', ['.prophecy/workflow.latest.json'])],
    install_requires=[],
    extras_require={'test': ['pytest']},
    entry_points={'console_scripts': ['main = sales_report.pipeline:main']},
)
