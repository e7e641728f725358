"""A label is one small page of PDF, written by hand: a few lines of text are not worth a library."""

from collections.abc import Sequence

LEFT, TOP, LEADING = 20, 380, 18
PAGE = (283, 420)
"""Points: 100 by 148 mm, a common label."""


def label_pdf(lines: Sequence[str]) -> bytes:
    """A page with these lines; what its font does not have becomes a question mark."""
    shown = " ".join(f"({_escaped(line)}) Tj T*" for line in lines)
    content = f"BT /F1 12 Tf {LEADING} TL {LEFT} {TOP} Td {shown} ET".encode("cp1252", "replace")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents 5 0 R" % PAGE
        + b" /Resources << /Font << /F1 4 0 R >> >> >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
    ]
    return _file_of(objects)


def _file_of(objects: Sequence[bytes]) -> bytes:
    written, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size, start = len(objects) + 1, len(written)
    written += b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
    return written + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, start)


def _escaped(line: str) -> str:
    return line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
