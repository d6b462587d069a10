"""Who hears of what is wrong: rules find causes, alerts are told through sinks."""
