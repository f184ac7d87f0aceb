"""Fields that take JSON types strictly: "1" is no number, and 1 is no boolean."""

import math
from typing import Any

from rest_framework import serializers

DIRECTIONS = ["ltr", "rtl", "auto"]  # in which a text is written, as HTML's `dir`


class Number(serializers.IntegerField):
    def to_internal_value(self, data: Any) -> int:
        if type(data) is float and data.is_integer():  # JSON's 1.0 is an integer
            data = int(data)
        if type(data) is not int:
            self.fail("invalid")
        return super().to_internal_value(data)


class YesOrNo(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if type(data) is not bool:
            self.fail("invalid", input=data)
        return data


class Seconds(serializers.FloatField):
    """Seconds from 0 to a day."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0.0, max_value=86_400.0, **kwargs)

    def to_internal_value(self, data: Any) -> float:
        if type(data) not in {int, float} or abs(data) > 1e9 or math.isnan(data):
            self.fail("invalid")
        return float(data)


class Weight(serializers.FloatField):
    """A number from 0 on."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0.0, max_value=1e6, **kwargs)

    def to_internal_value(self, data: Any) -> float:
        if type(data) not in {int, float} or not abs(data) <= 1e9:
            self.fail("invalid")
        return float(data)
