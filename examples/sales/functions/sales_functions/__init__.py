"""What the pipelines of this project share: money, configuration, the Spark session, reading and writing."""
