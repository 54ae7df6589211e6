package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sort"
	"strconv"
)

// jsonReader turns JSON into nodes with positions; encoding/json checks the syntax and reads the tokens.
type jsonReader struct {
	name     string
	dec      *json.Decoder
	newlines []int64 // offsets of line ends
	data     []byte
	budget   budget
	problems []Problem
}

// readJSON reads one JSON value. Duplicate keys are problems; anything that is not JSON is an error.
func readJSON(name string, data []byte) (*node, []Problem, error) {
	if err := checkBytes(name, data); err != nil {
		return nil, nil, err
	}
	r := &jsonReader{name: name, data: data, dec: json.NewDecoder(bytes.NewReader(data))}
	r.dec.UseNumber()
	for i, c := range data {
		if c == '\n' {
			r.newlines = append(r.newlines, int64(i))
		}
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, nil, fault(name, 1, 1, "the input is empty", `expected a spec as a JSON object: {"apiVersion": ...}`)
	}
	// A pass over the whole first: its errors have exact offsets.
	if err := json.Unmarshal(data, new(json.RawMessage)); err != nil {
		return nil, nil, r.fault(err)
	}
	root, err := r.read(0)
	if err != nil {
		return nil, nil, r.fault(err)
	}
	return root, r.problems, nil
}

func (r *jsonReader) fault(err error) error {
	at := r.here()
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		at = r.position(max(syntax.Offset-1, 0))
	}
	return fault(r.name, at.line, at.column, "not a JSON spec: "+err.Error(), `expected one object: {"apiVersion": ...}`)
}

func (r *jsonReader) position(offset int64) position {
	line := sort.Search(len(r.newlines), func(i int) bool { return r.newlines[i] >= offset })
	start := int64(0)
	if line > 0 {
		start = r.newlines[line-1] + 1
	}
	return position{file: r.name, line: line + 1, column: int(offset-start) + 1}
}

// here is the position of the next token: the decoder stands behind the last one, before blanks and punctuation.
func (r *jsonReader) here() position {
	at := r.dec.InputOffset()
	for at < int64(len(r.data)) && bytes.IndexByte([]byte(" \t\r\n,:"), r.data[at]) >= 0 {
		at++
	}
	return r.position(at)
}

func (r *jsonReader) read(depth int) (*node, error) {
	if err := r.budget.spend(depth); err != nil {
		return nil, err
	}
	out := &node{at: r.here()}
	tok, err := r.dec.Token()
	if err != nil {
		return nil, err
	}
	switch tok := tok.(type) {
	case json.Delim:
		if tok == '{' {
			return out, r.object(out, depth)
		}
		return out, r.array(out, depth)
	case bool:
		out.kind, out.truth = boolNode, tok
	case string:
		out.kind, out.text = textNode, tok
	case json.Number:
		out.setNumber(tok.String())
	}
	return out, nil
}

func (r *jsonReader) object(out *node, depth int) error {
	out.kind = mapNode
	lines := map[string]int{}
	for r.dec.More() {
		at := r.here()
		tok, err := r.dec.Token()
		if err != nil {
			return err
		}
		name, _ := tok.(string)
		value, err := r.read(depth + 1)
		if err != nil {
			return err
		}
		if first, twice := lines[name]; twice {
			r.problems = append(r.problems, Problem{File: at.file, Line: at.line, Column: at.column,
				Found: fmt.Sprintf("the key %q is written a second time (first on line %d)", clip(name), first), Expected: "keep one of the two"})
			continue
		}
		lines[name] = at.line
		out.keys = append(out.keys, mapKey{name: name, at: at, value: value})
	}
	_, err := r.dec.Token()
	return err
}

func (r *jsonReader) array(out *node, depth int) error {
	out.kind = listNode
	for r.dec.More() {
		item, err := r.read(depth + 1)
		if err != nil {
			return err
		}
		out.items = append(out.items, item)
	}
	_, err := r.dec.Token()
	return err
}

// setNumber makes n the number a decimal literal means; a literal out of range becomes an infinity, which no field
// accepts.
func (n *node) setNumber(literal string) {
	n.kind, n.text = numberNode, literal
	if i, err := strconv.ParseInt(literal, 10, 64); err == nil {
		n.number, n.integer, n.isInt = float64(i), i, true
		return
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		f = math.Inf(1)
	}
	n.number = f + 0 // makes -0 0: equal specs have equal bytes
}
