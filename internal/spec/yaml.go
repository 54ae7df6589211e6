package spec

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// yamlReader turns the library's syntax tree into nodes, resolving anchors.
type yamlReader struct {
	name     string
	anchors  map[string]ast.Node
	open     map[string]bool // anchors being expanded: one inside itself has no end
	budget   budget
	problems []Problem
}

// readYAML reads one YAML document. Problems that leave a tree to go on with (duplicate keys, tags, unknown aliases)
// are returned beside it; an error means there is no tree.
func readYAML(name string, data []byte) (*node, []Problem, error) {
	if err := checkBytes(name, data); err != nil {
		return nil, nil, err
	}
	body, err := parseYAML(name, bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	if err != nil {
		return nil, nil, err
	}
	r := &yamlReader{name: name, anchors: map[string]ast.Node{}, open: map[string]bool{}}
	root, err := r.read(body, 0)
	if err != nil {
		return nil, nil, fault(name, 1, 1, err.Error(), "expected a spec of some tens of lines")
	}
	return root, r.problems, nil
}

func checkBytes(name string, data []byte) error {
	if len(data) > maxBytes {
		return fault(name, 1, 1, fmt.Sprintf("the file has %d bytes", len(data)), fmt.Sprintf("expected at most %d", maxBytes))
	}
	line, column := 1, 1
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return fault(name, line, column, fmt.Sprintf("byte 0x%02x is not UTF-8", data[i]), "save the file as UTF-8")
		}
		if r == 0 {
			return fault(name, line, column, "a zero byte", "expected a text file")
		}
		i += size
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
	}
	return nil
}

// parseYAML gives the body of the only document. A panic of the library on odd input becomes an error: a spec may come
// from anybody.
func parseYAML(name string, data []byte) (body ast.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			body, err = nil, fault(name, 1, 1, "the YAML cannot be read", "expected one mapping with apiVersion, kind, model and so on")
		}
	}()
	tokens := lexer.Tokenize(string(data))
	if err := checkTokens(name, tokens); err != nil {
		return nil, err
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, syntaxFault(name, err)
	}
	var docs []ast.Node
	for _, d := range file.Docs {
		if d != nil && d.Body != nil && d.Body.Type() != ast.CommentType {
			docs = append(docs, d.Body)
		}
	}
	switch len(docs) {
	case 0:
		return nil, fault(name, 1, 1, "the file is empty", "expected a spec; examples/own-data.yaml is a template")
	case 1:
		return docs[0], nil
	}
	at := place(name, docs[1])
	return nil, fault(name, at.line, at.column, "a second YAML document", "expected one spec a file")
}

func syntaxFault(name string, err error) error {
	var known yaml.Error
	if !errors.As(err, &known) {
		return fault(name, 1, 1, "not YAML: "+err.Error(), "")
	}
	line, column := 1, 1
	if tk := known.GetToken(); tk != nil && tk.Position != nil {
		line, column = max(tk.Position.Line, 1), max(tk.Position.Column, 1)
	}
	return fault(name, line, column, "not YAML: "+known.GetMessage(), "expected key: value, indented with blanks (never tabs); put texts with special characters in quotes")
}

// checkTokens bounds size and nesting before the parser, which is recursive and slow on both.
func checkTokens(name string, tokens token.Tokens) error {
	brackets, dashes := 0, 0
	for i, tk := range tokens {
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets--
		}
		if tk.Type == token.SequenceEntryType {
			dashes++
		} else {
			dashes = 0
		}
		at := placeToken(name, tk)
		if i >= maxTokens {
			return fault(name, at.line, at.column, fmt.Sprintf("more than %d words and signs", maxTokens), "expected a spec of some tens of lines")
		}
		if brackets > maxDepth || dashes > maxDepth {
			return fault(name, at.line, at.column, fmt.Sprintf("nested more than %d levels deep", maxDepth), "expected a spec of some tens of lines")
		}
	}
	return nil
}

func place(name string, n ast.Node) position {
	return placeToken(name, n.GetToken())
}

func placeToken(name string, tk *token.Token) position {
	if tk == nil || tk.Position == nil {
		return position{file: name, line: 1, column: 1}
	}
	return position{file: name, line: max(tk.Position.Line, 1), column: max(tk.Position.Column, 1)}
}

func (r *yamlReader) complain(at position, found, expected string) {
	r.problems = append(r.problems, Problem{File: at.file, Line: at.line, Column: at.column, Found: found, Expected: expected})
}

func (r *yamlReader) read(n ast.Node, depth int) (*node, error) {
	if err := r.budget.spend(depth); err != nil {
		return nil, err
	}
	if n == nil {
		return &node{kind: nullNode, at: position{file: r.name, line: 1, column: 1}}, nil
	}
	out := &node{at: place(r.name, n)}
	switch n := n.(type) {
	case *ast.MappingNode:
		return r.mapping(out, n.Values, depth)
	case *ast.MappingValueNode:
		return r.mapping(out, []*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		return r.sequence(out, n, depth)
	case *ast.AnchorNode:
		r.anchors[anchorName(n.Name)] = n.Value
		return r.read(n.Value, depth)
	case *ast.AliasNode:
		return r.alias(out, n, depth)
	case *ast.TagNode:
		r.complain(out.at, "the YAML tag "+clip(n.Start.Value), "tags are not used in specs; write the value alone")
		return r.read(n.Value, depth)
	default:
		readScalar(out, n)
		return out, nil
	}
}

// numberRE is a decimal number of YAML 1.2. The library takes some for text: 1e-7, and those too large for 64 bits.
var numberRE = regexp.MustCompile(`^[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$`)

func readScalar(out *node, n ast.Node) {
	switch n := n.(type) {
	case *ast.NullNode:
		out.kind = nullNode
	case *ast.BoolNode:
		out.kind, out.truth, out.text = boolNode, n.Value, n.Token.Value
	case *ast.IntegerNode, *ast.FloatNode:
		out.setNumber(n.GetToken().Value) // YAML 1.2: 010 is ten, not eight as for the library
	case *ast.StringNode:
		out.kind, out.text = textNode, n.Value
		out.plain = n.Token.Type != token.SingleQuoteType && n.Token.Type != token.DoubleQuoteType
		if out.plain && numberRE.MatchString(n.Value) {
			out.setNumber(n.Value)
		}
	case *ast.LiteralNode:
		out.kind, out.text = textNode, n.Value.Value
	default: // .inf, .nan, <<, directives: no field takes them
		out.kind, out.text, out.plain = textNode, strings.TrimSpace(n.String()), true
	}
}

func (r *yamlReader) mapping(out *node, values []*ast.MappingValueNode, depth int) (*node, error) {
	out.kind = mapNode
	if len(values) > 0 {
		out.at = place(r.name, values[0].Key)
	}
	lines := map[string]int{}
	for _, v := range values {
		at := place(r.name, v.Key)
		name, ok := keyName(v.Key)
		if !ok {
			r.complain(at, "a key that is not a plain text", "expected key: value; write merged or compound keys out")
			continue
		}
		value, err := r.read(v.Value, depth+1)
		if err != nil {
			return nil, err
		}
		if value.kind == nullNode {
			value.at = at
		}
		if first, twice := lines[name]; twice {
			r.complain(at, fmt.Sprintf("the key %q is written a second time (first on line %d)", clip(name), first), "keep one of the two")
			continue
		}
		lines[name] = at.line
		out.keys = append(out.keys, mapKey{name: name, at: at, value: value})
	}
	return out, nil
}

func keyName(k ast.MapKeyNode) (string, bool) {
	switch k := k.(type) {
	case *ast.StringNode:
		return k.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		return k.GetToken().Value, true
	}
	return "", false
}

func (r *yamlReader) sequence(out *node, n *ast.SequenceNode, depth int) (*node, error) {
	out.kind = listNode
	for _, v := range n.Values {
		item, err := r.read(v, depth+1)
		if err != nil {
			return nil, err
		}
		if v == nil {
			item.at = out.at
		}
		out.items = append(out.items, item)
	}
	return out, nil
}

func (r *yamlReader) alias(out *node, n *ast.AliasNode, depth int) (*node, error) {
	name := anchorName(n.Value)
	target, ok := r.anchors[name]
	switch {
	case !ok:
		r.complain(out.at, fmt.Sprintf("the alias *%s", clip(name)), "expected an anchor of that name further up; put a text that begins with * in quotes")
		out.kind = brokenNode
		return out, nil
	case r.open[name]:
		return nil, fmt.Errorf("the anchor &%s contains itself", clip(name))
	}
	r.open[name] = true
	defer delete(r.open, name)
	return r.read(target, depth)
}

func anchorName(n ast.Node) string {
	if n == nil || n.GetToken() == nil {
		return ""
	}
	return n.GetToken().Value
}
