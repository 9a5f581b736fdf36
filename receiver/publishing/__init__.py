"""The way to Kafka: one door, group commit, a producer that is replaced when it must be."""
