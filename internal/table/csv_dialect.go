package table

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/assay-ml/assay/internal/spec"
)

// layout is what must be known of a CSV file before DuckDB reads it.
type layout struct {
	dialect
	names  []string // of the columns, trimmed
	header bool     // the first record is the names
	skip   int      // lines before the first row
	gzip   bool
}

// separators are detected, in order of preference; unusual ones must be set, and are looked for only to say so.
var (
	separators        = []byte{',', ';', '\t', '|'}
	unusualSeparators = []byte{',', ';', '\t', '|', '^', '~', ':'}
)

// sampleRecords is how many rows decide the separator.
const sampleRecords = 200

// readLayout finds separator, header and names of a CSV file and refuses what cannot be a table.
func readLayout(path string, o spec.CSV) (layout, error) {
	head, zipped, err := readHead(path)
	if err != nil {
		return layout{}, err
	}
	if err := checkEncoding(head); err != nil {
		return layout{}, err
	}
	l := layout{gzip: zipped, dialect: dialect{quote: '"'}}
	if err := l.override(o); err != nil {
		return layout{}, err
	}
	if l.separator == 0 {
		l.separator = detectSeparator(head, l.dialect)
	}
	rs := newRecords(bytes.NewReader(head), l.dialect)
	first, err := rs.next()
	if errors.Is(err, io.EOF) {
		return layout{}, errEmpty
	}
	if err != nil {
		return layout{}, err
	}
	if err := checkSeparator(head, l.dialect, first, len(o.Columns)); err != nil {
		return layout{}, err
	}
	if o.Header == nil || *o.Header {
		l.names, l.header, l.skip = trimAll(first.fields), true, rs.line
		_, err = rs.next()
	} else {
		l.names, l.skip, err = namesOf(o.Columns, first), first.line-1, nil
	}
	if errors.Is(err, io.EOF) {
		return layout{}, errors.New("there is a header line and nothing after it; expected at least one row")
	}
	if len(l.names) != len(first.fields) {
		return layout{}, fmt.Errorf("line %d has %d fields where csv.columns names %d; expected as many, or set csv.comment if the line is not a row",
			first.line, len(first.fields), len(l.names))
	}
	return l, checkNames(l.names)
}

// readHead is the first mebibyte of a file, unpacked, cut after its last full line.
func readHead(path string) (head []byte, zipped bool, err error) {
	r, err := openText(path)
	if err != nil {
		return nil, false, err
	}
	defer r.Close()
	head = make([]byte, 1<<20)
	n, err := io.ReadFull(r, head)
	head = head[:n]
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, false, err
	}
	if i := bytes.LastIndexByte(head, '\n'); err == nil && i >= 0 {
		head = head[:i+1]
	}
	return head, r.zipped, nil
}

// textFile is a file of text that may be packed with gzip.
type textFile struct {
	io.Reader
	file   *os.File
	zipped bool
}

func (t textFile) Close() error { return t.file.Close() }

func openText(path string) (textFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return textFile{}, err
	}
	var magic [2]byte
	n, _ := f.ReadAt(magic[:], 0)
	if n < 2 || magic != [2]byte{0x1f, 0x8b} {
		return textFile{Reader: f, file: f}, nil
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		f.Close()
		return textFile{}, fmt.Errorf("unpack gzip: %w", err)
	}
	return textFile{Reader: z, file: f, zipped: true}, nil
}

func checkEncoding(head []byte) error {
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return errors.New("the text is UTF-16; expected UTF-8, so convert it, for example with iconv -f utf-16 -t utf-8")
	case bytes.IndexByte(head, 0) >= 0:
		return fmt.Errorf("byte %d of the file is zero; expected text (is it a binary format? set format)", bytes.IndexByte(head, 0)+1)
	case len(head) > 0 && bytes.IndexByte(head, '\n') < 0 && bytes.IndexByte(head, '\r') >= 0:
		return errors.New("lines end with a carriage return alone; expected a line feed, so convert it, for example with tr '\\r' '\\n'")
	}
	return nil
}

// override applies what the spec sets.
func (l *layout) override(o spec.CSV) error {
	for _, set := range []struct {
		name, value string
		to          *byte
	}{{"separator", o.Separator, &l.separator}, {"quote", o.Quote, &l.quote}, {"comment", o.Comment, &l.comment}} {
		value := set.value
		if value == `\t` || value == "tab" {
			value = "\t"
		}
		if value == "" {
			continue
		}
		if len(value) != 1 || value[0] >= 0x80 || value == "\n" || value == "\r" {
			return fmt.Errorf("csv.%s is %q; expected one ASCII character (\\t for a tab)", set.name, set.value)
		}
		*set.to = value[0]
	}
	if l.separator != 0 && (l.separator == l.quote || l.separator == l.comment) {
		return fmt.Errorf("csv.separator %q is also csv.quote or csv.comment; expected different characters", l.separator)
	}
	return nil
}

// shape counts fields: of the first record, and of the records after it (the most frequent number and its share).
func shape(head []byte, d dialect) (first, usual int, share float64) {
	rs := newRecords(bytes.NewReader(head), d)
	counts := map[int]int{}
	total := 0
	for ; total <= sampleRecords; total++ {
		rec, err := rs.next()
		if err != nil {
			break
		}
		if total == 0 {
			first = len(rec.fields)
			continue
		}
		counts[len(rec.fields)]++
	}
	best := 0
	for n, c := range counts {
		if c > best || c == best && n > usual {
			usual, best = n, c
		}
	}
	if total > 1 {
		share = float64(best) / float64(total-1)
	}
	return first, usual, share
}

// detectSeparator takes the separator under which most rows have as many fields as the first line; among equals, the one
// that makes most columns. A file of one column has any separator.
func detectSeparator(head []byte, d dialect) byte {
	best, bestScore := separators[0], 0.0
	for _, s := range separators {
		d.separator = s
		first, usual, share := shape(head, d)
		score := share * float64(usual)
		if first != usual {
			score /= 1000 // a title or comment before the table: still better than nothing
		}
		if usual > 1 && score > bestScore {
			best, bestScore = s, score
		}
	}
	return best
}

// checkSeparator refuses a file whose first line has one field while another separator would give a table.
func checkSeparator(head []byte, d dialect, first record, wanted int) error {
	if len(first.fields) != 1 || wanted == 1 {
		return nil
	}
	if _, usual, share := shape(head, d); usual > 1 && share > 0.5 {
		return fmt.Errorf("line %d has 1 field where the lines after it have %d; expected the header or a row: "+
			"if the line is a comment, set csv.comment to its first character; if the separator is not %q, set csv.separator", first.line, usual, d.separator)
	}
	for _, s := range unusualSeparators {
		other := d
		other.separator = s
		n, usual, share := shape(head, other)
		if s != d.separator && n > 1 && (n == usual && share > 0.9 || usual == 0) {
			return fmt.Errorf("with the separator %q the header is one column, but it holds %q %d times; set csv.separator to %q", d.separator, s, n-1, s)
		}
	}
	return nil
}

func namesOf(columns []string, first record) []string {
	if len(columns) > 0 {
		return trimAll(columns)
	}
	names := make([]string, len(first.fields))
	for i := range names {
		names[i] = fmt.Sprintf("column_%d", i+1)
	}
	return names
}

func trimAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.TrimSpace(s)
	}
	return out
}

// checkNames refuses names that are empty, reserved, or equal but for their case (SQL would take them for one).
func checkNames(names []string) error {
	seen := map[string]int{}
	for i, name := range names {
		if name == "" {
			return fmt.Errorf("column %d has no name; expected a name in the header", i+1)
		}
		key := strings.ToLower(name)
		if key == RowColumn || key == "file_row_number" {
			return fmt.Errorf("column %d is named %q, which is reserved for row numbers; rename it", i+1, name)
		}
		if j, ok := seen[key]; ok {
			return fmt.Errorf("columns %d and %d are both named %q (case is ignored); expected different names", j+1, i+1, name)
		}
		seen[key] = i
	}
	return nil
}
