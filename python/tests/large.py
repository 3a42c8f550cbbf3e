"""Writes a schema of many files, to generate code of it and to check that: `python3 large.py FOLDER [FILES]`."""

from __future__ import annotations

import sys
from pathlib import Path

TEXT = """/// Part {number} of a large schema.
package large.p{number}.v1;
{imports}
/// What is kept.
struct Item{number} {{
    id: uuid = 1;
    @len(1..=40) name: string = 2;
    at: timestamp = 3;
    tags: map<string, list<u32>> = 4;
    state: State{number} = 5;
    @default(3) tries: u8 = 6;
    note: string? = 7;{fields}
}}

enum State{number} {{ Open = 1; Closed = 2; }}

flags Access{number} {{ Read = 0; Write = 1; }}

union Change{number} {{
    Added: Item{number} = 1;
    Renamed {{ from: string = 1; to: string = 2; }} = 2;
    Emptied = 3;
}}

error Refused{number} {{
    @message("there is no {{name}}")
    Missing {{ name: string = 1; }} = 1;
}}

@latest
event Seen{number} {{ @key name: string = 1; change: Change{number} = 2; }}

/// Keeps items.
service Store{number} {{
    /// Returns an item.
    @idempotent @deadline(2s)
    rpc get(name: string) -> Item{number} throws Refused{number};
    rpc changes(since: timestamp?) -> stream Change{number};
    rpc fill(access: Access{number}, items: stream Item{number}) -> u64;
    oneway note(text: string);
}}
"""


def text(number: int) -> str:
    """Returns a file, which imports some of those before it."""
    above = sorted({number - 1, number // 2} - {number, -1})
    imports = "".join(f'import "p{it}.svc" as p{it};\n' for it in above)
    fields = "".join(f"\n    of_{it}: list<p{it}.Item{it}> = {10 + place};" for place, it in enumerate(above))
    return TEXT.format(number=number, imports=imports, fields=fields)


def main() -> None:
    """Writes all files."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(int(sys.argv[2]) if len(sys.argv) > 2 else 600):
        (folder / f"p{number}.svc").write_text(text(number))


if __name__ == "__main__":
    main()
