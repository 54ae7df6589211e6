package labelling

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxFile is the size of the largest file of labels in bytes.
const MaxFile = 64 << 20

// ReadAnswers reads labels from CSV (RFC 4180, in UTF-8, with or without a byte order mark). The header has the columns row
// and label, in any order and either case; other columns, such as those of the sheet, are not looked at. A row without a
// label is not answered yet and is left out. What a label means is Submit's to judge.
//
// The error of a file that cannot be read so is a *RefusedError that names the line.
func ReadAnswers(r io.Reader) ([]Answer, error) {
	limited := &io.LimitedReader{R: r, N: MaxFile + 1}
	text := bufio.NewReader(limited)
	if err := skipMark(text); err != nil {
		return nil, err
	}
	f := &file{reader: csv.NewReader(text)}
	f.reader.ReuseRecord = true
	answers, err := f.read()
	if limited.N == 0 { // whatever else is wrong comes of the cut
		return nil, refuseLine(0, "the file has more than %d MiB; divide it", MaxFile>>20)
	}
	return answers, err
}

// skipMark passes over a byte order mark and refuses those of other encodings, which spreadsheets write as "Unicode text".
func skipMark(text *bufio.Reader) error {
	start, err := text.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read labels: %w", err)
	}
	if bytes.HasPrefix(start, []byte("\xff\xfe")) || bytes.HasPrefix(start, []byte("\xfe\xff")) {
		return refuseLine(1, "the file is in UTF-16; save it as CSV in UTF-8")
	}
	if bytes.HasPrefix(start, []byte("PK\x03")) {
		return refuseLine(1, "the file is a workbook or an archive; save the sheet as CSV in UTF-8")
	}
	if bytes.Equal(start, []byte("\xef\xbb\xbf")) {
		_, err = text.Discard(len(start))
		return err
	}
	return nil
}

func refuseLine(line int, format string, args ...any) error {
	return &RefusedError{Problems: []Problem{{Line: line, Message: fmt.Sprintf(format, args...)}}, Count: 1}
}

// file is a file of labels being read.
type file struct {
	reader     *csv.Reader
	row, label int // places of the two columns
}

func (f *file) read() ([]Answer, error) {
	header, err := f.next()
	if errors.Is(err, io.EOF) {
		return nil, refuseLine(1, "the file is empty; expected the header row,label")
	}
	if err != nil {
		return nil, err
	}
	if err := f.columns(header); err != nil {
		return nil, err
	}
	var answers []Answer
	var refused RefusedError
	for {
		record, err := f.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		a, problem := f.answer(record)
		switch {
		case problem != "":
			refused.add(Problem{a.Line, a.Row, problem})
		case a.Label != "":
			answers = append(answers, a)
		}
		if len(answers)+refused.Count > MaxRows {
			return nil, refuseLine(a.Line, "the file has more than %d labels; divide it", MaxRows)
		}
	}
	if refused.Count > 0 {
		return nil, &refused
	}
	return answers, nil
}

// next gives the next record; the error of text that is no CSV names the line.
func (f *file) next() ([]string, error) {
	record, err := f.reader.Read()
	parse, malformed := errors.AsType[*csv.ParseError](err)
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return record, err
	case !malformed:
		return nil, fmt.Errorf("read labels: %w", err)
	case errors.Is(err, csv.ErrFieldCount):
		return nil, refuseLine(parse.Line, "found %d values; expected %d, as in the header; a value with a comma stands in quotes", len(record), f.reader.FieldsPerRecord)
	}
	return nil, refuseLine(parse.Line, "it is no CSV: %v; a value with quotes stands in quotes, with each quote doubled", parse.Err)
}

func (f *file) columns(header []string) error {
	line, _ := f.reader.FieldPos(0)
	places := map[string]int{}
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := places[name]; twice && (name == "row" || name == "label") {
			return refuseLine(line, "the column %s is there twice", name)
		}
		places[name] = i
	}
	for name, place := range map[string]*int{"row": &f.row, "label": &f.label} {
		var found bool
		if *place, found = places[name]; !found {
			return refuseLine(line, "%s", missingColumn(header))
		}
	}
	return nil
}

func missingColumn(header []string) string {
	shown := make([]string, min(len(header), 10))
	for i := range shown {
		shown[i] = strconv.Quote(clip(header[i]))
	}
	message := "expected the header row,label, found " + strings.Join(shown, ", ")
	if strings.ContainsAny(header[0], ";\t") {
		message += "; the columns must be divided by commas"
	}
	return message
}

func clip(text string) string {
	const most = 60
	if len(text) <= most {
		return text
	}
	return text[:most] + "..."
}

// answer reads a record and says what is wrong with it, or "". A record without a label gives an Answer without one.
func (f *file) answer(record []string) (Answer, string) {
	line, _ := f.reader.FieldPos(0)
	row, label := strings.TrimSpace(record[f.row]), record[f.label]
	a := Answer{Line: line}
	if strings.TrimSpace(label) == "" {
		return a, ""
	}
	n, err := strconv.ParseInt(row, 10, 64)
	if err != nil || n < 1 {
		return a, fmt.Sprintf("row %q: expected a whole number from 1, as in the sheet", clip(row))
	}
	a.Row, a.Label = n, strings.Clone(label)
	if len(label) > MaxLabel {
		return a, fmt.Sprintf("its label has %d bytes; expected at most %d", len(label), MaxLabel)
	}
	if !utf8.ValidString(label) {
		return a, fmt.Sprintf("label %q: expected UTF-8; save the file in UTF-8", label)
	}
	return a, ""
}
