# SPDX-License-Identifier: BSD-2-Clause
"""What may differ from run to run and machine to machine, taken out of a screen; the rest must be equal."""

import re

BARS = "█▉▊▋▌▍▎▏░▓▒"
SPARKS = "▁▂▃▄▅▆▇█"
HEADER_ROWS = 4

HEADER = [
    (r"^\d+ .*?(?= +Python )", "PID COMMAND"),
    (r"Python \d+\.\d+\.\d+\S*( debug| free-threaded)*", "Python VERSION"),
    (r"up \d\S*", "up TIME"),
    (r"[\d.,]+ (B|[KMGT]iB)", "SIZE"),
    (rf"[{BARS}]{{3,}}|[#.=:]{{8,}}", "BAR"),
    (r"census ([\d.]+ m?s|unchanged)", "census TIME"),
    (r"\d+s ago", "AGE"),
    (r" +", " "),
]

# The table of types keeps its widths; the trend gets longer with time.
TABLE = [(rf" +[{SPARKS}]+", " TREND")]

PAGE = [
    (r"0x[0-9a-f]+", "ADDRESS"),
    (r"│.*", "│"),
    (rf" *[{BARS}]+$", " BAR"),
    (r"\d(?:[\d.,]*\d)?( (B|[KMGT]iB))?", lambda m: "SIZE" if m[1] else "N"),
    (r"(?<=[A-Z]) -(?= |$)|(?<= )-(?= |$)", "N"),
    (r"(SIZE|N%?) BAR$", r"\1"),
    (r" +", " "),
]


def replace(line, rules):
    for pattern, by in rules:
        line = re.sub(pattern, by, line)
    return line.rstrip()


def normal(rows, body):
    """@body: TABLE or PAGE. Lines that became equal to the one above are left out."""
    out = []
    for number, row in enumerate(rows):
        last = number == len(rows) - 1
        line = replace(row, HEADER if number < HEADER_ROWS else [] if last else body)
        if line and out and line == out[-1]:
            continue
        out.append(line)
    return "\n".join(out) + "\n"
