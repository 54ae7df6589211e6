package table

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// dialect is how a CSV file is written.
type dialect struct {
	separator byte
	quote     byte
	comment   byte // 0 when there are none
}

// record is one row of a CSV file: its fields without quotes, and where it begins.
type record struct {
	fields []string
	line   int   // 1-based number of its first line
	offset int64 // bytes before it
}

// records reads a CSV file record by record after RFC 4180, skipping empty lines and lines that begin with the comment
// character. DuckDB reads the rows that are kept; this reader finds the header and says what is wrong, and where,
// when DuckDB refuses a file, without repeating any value.
type records struct {
	d      dialect
	r      *bufio.Reader
	line   int   // lines read
	offset int64 // bytes read
	buf    []byte
}

func newRecords(r io.Reader, d dialect) *records {
	rs := &records{d: d, r: bufio.NewReaderSize(r, 1<<16)}
	if bom, _ := rs.r.Peek(3); bytes.Equal(bom, []byte("\xef\xbb\xbf")) {
		rs.r.Discard(3)
		rs.offset = 3
	}
	return rs
}

// next is the next record, or io.EOF.
func (rs *records) next() (record, error) {
	for {
		rec := record{line: rs.line + 1, offset: rs.offset}
		line, err := rs.readLine()
		if err != nil {
			return rec, err
		}
		if len(bytes.TrimSpace(line)) == 0 || rs.d.comment != 0 && line[0] == rs.d.comment {
			continue
		}
		if err := rs.complete(rec, line); err != nil {
			return rec, err
		}
		if err := rs.checkText(rec); err != nil {
			return rec, err
		}
		rec.fields, err = rs.split(rec.line)
		return rec, err
	}
}

// largestRecord bounds the memory that a quote nobody closes can take.
const largestRecord = 64 << 20

// complete fills buf with the record that begins with line, reading on while a quoted field is open.
func (rs *records) complete(rec record, line []byte) error {
	rs.buf = append(rs.buf[:0], line...)
	for q := fieldStart.after(line, rs.d); q == inQuoted; q = q.after(line, rs.d) {
		var err error
		line, err = rs.readLine()
		if errors.Is(err, io.EOF) || len(rs.buf) > largestRecord {
			return fmt.Errorf("line %d: a quoted field is never closed; expected a second %q, or set csv.quote", rec.line, rs.d.quote)
		}
		if err != nil {
			return err
		}
		rs.buf = append(rs.buf, line...)
	}
	rs.buf = bytes.TrimRight(rs.buf, "\r\n")
	return nil
}

// readLine reads up to and with a line feed; io.EOF only when nothing is left.
func (rs *records) readLine() ([]byte, error) {
	line, err := rs.r.ReadBytes('\n')
	if err != nil && (!errors.Is(err, io.EOF) || len(line) == 0) {
		return nil, err
	}
	rs.line++
	rs.offset += int64(len(line))
	return line, nil
}

// quoting follows a record across its lines: it ends where no quoted field is open.
type quoting int

const (
	fieldStart quoting = iota
	inPlain
	inQuoted
	afterQuote
)

func (q quoting) after(text []byte, d dialect) quoting {
	for _, c := range text {
		switch {
		case q == inQuoted:
			if c == d.quote {
				q = afterQuote
			}
		case c == d.quote && d.quote != 0 && (q == fieldStart || q == afterQuote):
			q = inQuoted
		case c == d.separator:
			q = fieldStart
		case q == fieldStart && c != ' ' && c != '\r' && c != '\n':
			q = inPlain
		}
	}
	return q
}

func (rs *records) checkText(rec record) error {
	if utf8.Valid(rs.buf) {
		return nil
	}
	at := 0
	for at < len(rs.buf) {
		r, n := utf8.DecodeRune(rs.buf[at:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		at += n
	}
	line := rec.line + bytes.Count(rs.buf[:at], []byte("\n"))
	return fmt.Errorf("line %d, byte %d of the file: the text is not UTF-8; expected UTF-8, so convert it, for example with iconv -f latin1 -t utf-8",
		line, rec.offset+int64(at)+1)
}

// split cuts the text of one record into fields.
func (rs *records) split(line int) ([]string, error) {
	var fields []string
	rest := rs.buf
	for {
		trimmed := bytes.TrimLeft(rest, " ")
		if rs.d.quote == 0 || len(trimmed) == 0 || trimmed[0] != rs.d.quote {
			i := bytes.IndexByte(rest, rs.d.separator)
			if i < 0 {
				return append(fields, string(rest)), nil
			}
			fields = append(fields, string(rest[:i]))
			rest = rest[i+1:]
			continue
		}
		value, after := rs.unquote(trimmed[1:])
		fields = append(fields, value)
		after = bytes.TrimLeft(after, " ")
		if len(after) == 0 {
			return fields, nil
		}
		if after[0] != rs.d.separator {
			return nil, fmt.Errorf("line %d, field %d: text follows a closing quote; expected the separator %q, or set csv.quote", line, len(fields), rs.d.separator)
		}
		rest = after[1:]
	}
}

// unquote reads a quoted field whose opening quote has been read: its value and what follows the closing quote.
func (rs *records) unquote(text []byte) (string, []byte) {
	var value []byte
	for {
		i := bytes.IndexByte(text, rs.d.quote)
		if i < 0 {
			return string(append(value, text...)), nil
		}
		value = append(value, text[:i]...)
		text = text[i+1:]
		if len(text) == 0 || text[0] != rs.d.quote {
			return string(value), text
		}
		value = append(value, rs.d.quote)
		text = text[1:]
	}
}
