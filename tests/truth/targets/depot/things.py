# SPDX-License-Identifier: BSD-2-Clause
"""Classes that are not in the main program."""


class Part:
    def __init__(self, number):
        self.number = number
        self.price = None

    class Label:
        def __init__(self, text):
            self.text = text
