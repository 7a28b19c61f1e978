"""From kept rows to figures with intervals, goals met or missed, plots and pages."""
