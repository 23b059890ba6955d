"""From a pipeline file to a report: reading, checking, running, measuring, judging, publishing."""
