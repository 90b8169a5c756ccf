#!/usr/bin/python3
"""Is it Python? Compiles what lies in /export as 0, 1, 2, ... and runs none of it.

Says first which Python it is, then before each file its number, and below it LINE:COLUMN: TEXT of what is wrong with
it. What a file ends us with is its fault then: its number was said last. Runs inside the sandbox.
"""
import sys
import warnings


def look_at(source):
    try:
        compile(source, "<dag>", "exec", dont_inherit=True)
    except SyntaxError as e:
        return max(e.lineno or 1, 1), max(e.offset or 1, 1), e.msg
    except (ValueError, RecursionError, MemoryError, OverflowError) as e:
        return 1, 1, f"{e}" or type(e).__name__
    return None


def main():
    warnings.simplefilter("ignore")
    print("%d.%d" % sys.version_info[:2])
    for i in range(int(sys.argv[1])):
        print(i, flush=True)
        with open(f"/export/{i}", "rb") as f:
            bad = look_at(f.read())
        if bad:
            print("%d:%d: %s" % (bad[0], bad[1], " ".join(bad[2].split())))


main()
