"""The tables of today."""

from importlib import import_module

Migration = import_module("labeling.migrations.0001_initial").Migration
