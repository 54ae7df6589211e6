package program

import (
	"strings"
	"unicode"
)

// LongestLine is the most bytes of a line of output that are handed on; the rest of the line is dropped.
const LongestLine = 64 << 10

// The bounds of End.Tail.
const (
	tailLines = 20
	tailBytes = 2000
)

// lines takes output in pieces and calls each with every line. A line ends with "\n", "\r\n" or, as progress bars write
// it, "\r"; an empty line that only a "\r" ends is none. A line longer than LongestLine is handed on, cut, as soon as it
// is longer, so that an endless line is heard of too. The slice is valid during the call only.
type lines struct {
	each  func(line []byte, truncated bool)
	line  []byte
	cut   bool // the line was handed on, the rest of it is dropped
	ended bool // by a "\r", which a "\n" right after it belongs to
}

func (l *lines) write(b []byte) {
	for len(b) > 0 {
		if l.ended && b[0] == '\n' {
			b, l.ended = b[1:], false
			continue
		}
		l.ended = false
		end := lineEnd(b)
		if end < 0 {
			l.add(b)
			return
		}
		l.add(b[:end])
		if b[end] == '\n' || len(l.line) > 0 {
			l.end()
			l.ended = b[end] == '\r'
		}
		b = b[end+1:]
	}
}

func lineEnd(b []byte) int {
	for i, c := range b {
		if c == '\n' || c == '\r' {
			return i
		}
	}
	return -1
}

func (l *lines) add(piece []byte) {
	if l.cut {
		return
	}
	fits := min(len(piece), LongestLine-len(l.line))
	l.line = append(l.line, piece[:fits]...)
	if fits < len(piece) {
		l.each(l.line, true)
		l.cut = true
	}
}

func (l *lines) end() {
	if !l.cut {
		l.each(l.line, false)
	}
	l.line, l.cut = l.line[:0], false
}

// close hands on a last line that nothing ended.
func (l *lines) close() {
	if len(l.line) > 0 {
		l.end()
	}
}

// tail remembers the last lines of output.
type tail struct {
	lines [tailLines][]byte // a ring whose buffers are used again
	count int
}

func (t *tail) add(line []byte) {
	if len(line) > tailBytes {
		line = line[len(line)-tailBytes:]
	}
	at := t.count % tailLines
	t.lines[at] = append(t.lines[at][:0], line...)
	t.count++
}

// String is at most tailLines lines and tailBytes bytes, the last ones: valid UTF-8 without control characters, which
// could garble the terminal of whoever reads the error.
func (t *tail) String() string {
	var text []string
	for i := max(0, t.count-tailLines); i < t.count; i++ {
		text = append(text, printable(t.lines[i%tailLines]))
	}
	joined := strings.Join(text, "\n")
	if len(joined) > tailBytes {
		joined = strings.ToValidUTF8(joined[len(joined)-tailBytes:], "")
	}
	return strings.TrimSpace(joined)
}

func printable(line []byte) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(string(line), "\uFFFD"))
}
