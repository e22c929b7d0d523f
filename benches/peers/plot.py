"""The plot: messages per second over size, both logarithmic, one line for each system, as SVG."""

import math
from html import escape

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 64, 132, 40, 46
LABEL_GAP = 15
#: Told apart by those who see few colours, too.
COLOURS = {"limit": "#777777", "ezrun": "#d55e00", "iceoryx2": "#0072b2", "zenoh": "#009e73", "dora": "#cc79a7",
           "ezmsg": "#000000"}
STYLE = "text{font:12px sans-serif;fill:#333}.title{font-size:14px}.grid{stroke:#ddd}.line{fill:none;stroke-width:2}"


def svg(title, lines):
    """`lines`: for each name its points, as (size, size as people write it, messages per second)."""
    points = [point for line in lines.values() for point in line]
    sizes = dict(sorted({size: spelled for size, spelled, _ in points}.items()))
    x_range = (min(sizes), max(max(sizes), min(sizes) * 2))
    y_range = decades([rate for _, _, rate in points])

    def x(size):
        return LEFT + share(size, *x_range) * (WIDTH - LEFT - RIGHT)

    def y(rate):
        return HEIGHT - BOTTOM - share(rate, *y_range) * (HEIGHT - TOP - BOTTOM)

    body = [f'<text class="title" x="{LEFT}" y="22">{escape(title)}</text>']
    for size, spelled in sizes.items():
        body.append(f'<path class="grid" d="M{x(size):.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
        body.append(f'<text x="{x(size):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{spelled}</text>')
    for power in range(round(math.log10(y_range[0])), round(math.log10(y_range[1])) + 1):
        at = y(10**power)
        body.append(f'<path class="grid" d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}"/>')
        body.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{short(power)}</text>')
    labels = spread({name: y(line[-1][2]) for name, line in lines.items()})
    for name, line in lines.items():
        path = "L".join(f"{x(size):.1f} {y(rate):.1f}" for size, _, rate in line)
        colour, dashes = COLOURS.get(name, "#333"), ' stroke-dasharray="5 4"' if name == "limit" else ""
        body.append(f'<path class="line" stroke="{colour}"{dashes} d="M{path}"/>')
        body += [f'<circle fill="{colour}" cx="{x(size):.1f}" cy="{y(rate):.1f}" r="3"/>' for size, _, rate in line]
        at = f'x="{WIDTH - RIGHT + 12}" y="{labels[name] + 4:.1f}"'
        body.append(f'<text {at} style="fill:{colour}">{escape(name)}</text>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
    paper = '<rect width="100%" height="100%" fill="#fff"/>'
    return "\n".join([head, f"<style>{STYLE}</style>", paper, *body, "</svg>\n"])


def short(power):
    """A power of ten, with k and M."""
    thousands = min(power // 3, 2)
    return f"{10 ** (power - 3 * thousands)}{('', ' k', ' M')[thousands]}"


def share(value, low, high):
    """Where a value lies between two, on a logarithmic scale."""
    return math.log(value / low) / math.log(high / low)


def decades(values):
    """The powers of ten around all values."""
    low, high = 10 ** math.floor(math.log10(min(values))), 10 ** math.ceil(math.log10(max(values)))
    return (low, high) if low < high else (low, low * 10)


def spread(heights):
    """Labels moved down as far as it takes for none to cover another, and up again where they would leave the plot."""
    placed, last = {}, -math.inf
    for name, at in sorted(heights.items(), key=lambda item: item[1]):
        last = max(at, last + LABEL_GAP)
        placed[name] = last
    too_far = max(0.0, last - (HEIGHT - BOTTOM))
    return {name: at - too_far for name, at in placed.items()}
