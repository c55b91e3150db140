#!/usr/bin/env python3
"""Draws what a command prints on a terminal as an SVG.

    terminal_picture.py OUTPUT.svg COLUMNS COMMAND [ARG]...

Runs the command on a pseudo-terminal, and keeps what stands there at its end: colours, cursor
movements and erasures are obeyed as far as Cresset uses them.
"""

import fcntl
import html
import os
import pty
import re
import struct
import sys
import termios

LINE, CHARACTER, MARGIN = 19, 8.43, 16
COLOURS = {"31": "#ff7b72", "32": "#7ee787", "36": "#79c0ff", "2": "#8b949e", "1": "#ffffff"}
SEQUENCE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")


class Screen:
    def __init__(self):
        self.rows = [[]]
        self.row = self.column = 0
        self.style = ""

    def feed(self, text):
        position = 0
        while position < len(text):
            match = SEQUENCE.match(text, position)
            if match:
                self.obey(*match.groups())
                position = match.end()
            else:
                self.put(text[position])
                position += 1

    def put(self, character):
        if character == "\n":
            self.row += 1
            if self.row == len(self.rows):
                self.rows.append([])
        elif character == "\r":
            self.column = 0
        elif character >= " ":
            row = self.rows[self.row]
            row.extend([(" ", "")] * (self.column + 1 - len(row)))
            row[self.column] = (character, self.style)
            self.column += 1

    def obey(self, parameters, command):
        if command == "m":
            self.style = "" if parameters in ("", "0") else parameters
        elif command == "A":
            self.row = max(0, self.row - int(parameters or 1))
        elif command == "J":
            self.rows[self.row] = self.rows[self.row][: self.column]
            del self.rows[self.row + 1 :]


def run_on_terminal(columns, command):
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm", LANG="C.UTF-8")
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    output = b""
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:
            break
        if not chunk:
            break
        output += chunk
    os.waitpid(child, 0)
    return output.decode(errors="replace")


def spans(row):
    out, start = [], 0
    for i in range(1, len(row) + 1):
        if i == len(row) or row[i][1] != row[start][1]:
            text = html.escape("".join(character for character, _ in row[start:i]))
            colour = COLOURS.get(row[start][1])
            fill = f' fill="{colour}"' if colour else ""
            out.append(f'<tspan x="{MARGIN + start * CHARACTER:.1f}"{fill}>{text}</tspan>')
            start = i
    return "".join(out)


def draw(rows, columns):
    width, height = columns * CHARACTER + 2 * MARGIN, len(rows) * LINE + 2 * MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
        f'viewBox="0 0 {width:.0f} {height}">',
        '<rect width="100%" height="100%" rx="8" fill="#0d1117"/>',
        '<g font-family="ui-monospace,DejaVu Sans Mono,Menlo,Consolas,monospace" font-size="14" '
        'fill="#e6edf3" xml:space="preserve">',
    ]
    for number, row in enumerate(rows):
        lines.append(f'<text y="{MARGIN + (number + 0.75) * LINE:.1f}">{spans(row)}</text>')
    return "\n".join(lines + ["</g>", "</svg>", ""])


def main(output, columns, command):
    screen = Screen()
    screen.feed("\x1b[1m$ " + " ".join(os.path.basename(command[0:1][0]).split() + command[1:]))
    screen.feed("\x1b[0m\r\n" + run_on_terminal(columns, command))
    rows = [row[:columns] for row in screen.rows]
    while rows and not rows[-1]:
        rows.pop()
    with open(output, "w") as file:
        file.write(draw(rows, columns))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
