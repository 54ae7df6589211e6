package spec

import (
	"encoding"
	"fmt"
	"github.com/assay-ml/assay/internal/spelling"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// decoder fills a Spec from nodes and collects every problem on the way. It remembers where each field stood, so that
// the checks across fields can say so too.
type decoder struct {
	file     string
	problems []Problem
	nodes    map[string]*node    // by path, of the fields that were written
	names    map[string]position // by path, of the names that the user chose
	bad      []string            // paths that have a problem already
}

// complain records a problem at a path unless one is known there, above or below it: one slip, one message.
func (d *decoder) complain(path, found, expected string) {
	if d.known(path) {
		return
	}
	if n, ok := d.nodes[path]; ok && n.written != "" {
		found = n.describe() // the text may be a secret
	}
	d.complainAlways(path, d.positionOf(path), found, expected)
}

// known reports whether there is a problem at a path, above or below it.
func (d *decoder) known(path string) bool {
	return slices.ContainsFunc(d.bad, func(p string) bool { return p == path || within(p, path) || within(path, p) })
}

// maxProblems bounds the work on a file that is wrong all over.
const maxProblems = 1000

func (d *decoder) complainAlways(path string, at position, found, expected string) {
	if len(d.problems) >= maxProblems {
		return
	}
	d.bad = append(d.bad, path)
	d.problems = append(d.problems, Problem{File: at.file, Line: at.line, Column: at.column, Path: path, Found: found, Expected: expected})
}

// within reports whether path lies below the field above. Everything lies below the document itself, yet a problem of
// the document (a missing field, say) tells nothing about the fields.
func within(path, above string) bool {
	rest, ok := strings.CutPrefix(path, above)
	return ok && above != "" && (strings.HasPrefix(rest, ".") || strings.HasPrefix(rest, "["))
}

// positionOf is where a field was written or, when it was not, the nearest thing around it.
func (d *decoder) positionOf(path string) position {
	for {
		if n, ok := d.nodes[path]; ok {
			return n.at
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			break
		}
		path = path[:i]
	}
	if n, ok := d.nodes[""]; ok {
		return n.at
	}
	return position{file: d.file, line: 1, column: 1}
}

// given reports whether a field was written.
func (d *decoder) given(path string) bool {
	_, ok := d.nodes[path]
	return ok
}

// wrong records that a node is not what its field takes.
func (d *decoder) wrong(n *node, path, expected string) {
	d.complainAlways(path, n.at, n.describe(), "expected "+expected)
}

// value decodes n into v, the field at path whose rule is r.
func (d *decoder) value(n *node, v reflect.Value, path string, r rule) {
	d.nodes[path] = n
	if n.kind == brokenNode {
		d.bad = append(d.bad, path)
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if v.Type() == scalarType {
		d.scalar(n, v, path)
		return
	}
	if n.kind == looseNode && n.set && (v.Kind() == reflect.Struct || v.Kind() == reflect.Slice || v.Kind() == reflect.Map) {
		opened, err := n.opened()
		if err != nil {
			d.wrong(n, path, "YAML such as [a, b] or {key: value}")
			return
		}
		n, d.nodes[path] = opened, opened
	}
	switch v.Kind() {
	case reflect.Struct:
		d.mapping(n, v, path)
	case reflect.Slice:
		d.list(n, v, path, r)
	case reflect.Map:
		d.named(n, v, path, r)
	case reflect.String:
		d.text(n, v, path, r)
	case reflect.Bool:
		d.truth(n, v, path)
	default:
		if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
			d.duration(n, u, path)
			return
		}
		d.number(n, v, path, r)
	}
}

func (n *node) placeAll(at position) {
	n.at = at
	for i := range n.keys {
		n.keys[i].at = at
		n.keys[i].value.placeAll(at)
	}
	for _, item := range n.items {
		item.placeAll(at)
	}
}

func (d *decoder) mapping(n *node, v reflect.Value, path string) {
	fields := fieldsOf(v.Type())
	if n.kind != mapNode {
		d.wrong(n, path, "a mapping with "+strings.Join(keysOf(fields), ", "))
		return
	}
	for _, k := range n.keys {
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == k.name })
		if i < 0 {
			d.unknown(k, path, fields)
			continue
		}
		d.value(k.value, v.Field(fields[i].index), join(path, k.name), fields[i].rule)
	}
	for _, f := range fields {
		at := join(path, f.key)
		if f.rule.required && !d.given(at) && !slices.Contains(d.bad, at) {
			d.complainAlways(at, n.at, "this field is missing", "expected "+lowerFirst(f.rule.says))
		}
	}
}

// unknown explains a key that no field has.
func (d *decoder) unknown(k mapKey, path string, fields []field) {
	if len(d.problems) >= maxProblems {
		return
	}
	at := join(path, k.name)
	if u, ok := notYet(at, ""); ok {
		d.complainAlways(at, k.at, u.found(), u.String())
		return
	}
	keys := keysOf(fields)
	found := fmt.Sprintf("there is no field %q here", clip(k.name))
	if near, ok := spelling.Nearest(k.name, keys); ok {
		d.bad = append(d.bad, join(path, near)) // it is not missing, it is misspelt
		d.complainAlways(join(path, clip(k.name)), k.at, found, fmt.Sprintf("did you mean %q?", near))
		return
	}
	expected := "expected one of " + strings.Join(keys, ", ")
	if home := homeOf(k.name); home != "" {
		expected = fmt.Sprintf("it belongs to %s; here, %s", home, expected)
	}
	d.complainAlways(join(path, clip(k.name)), k.at, found, expected)
}

func (d *decoder) list(n *node, v reflect.Value, path string, r rule) {
	if n.kind != listNode {
		d.wrong(n, path, "a list, such as [first, second]")
		return
	}
	if len(n.items) == 0 && r.filled {
		d.complainAlways(path, n.at, "found an empty list", "expected at least one element, or the field left out")
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.items), len(n.items))
	v.Set(out)
	for i, item := range n.items {
		if d.elementNotYet(item, index(path, i), out.Index(i)) {
			continue
		}
		d.value(item, out.Index(i), index(path, i), r)
	}
	if r.distinct {
		d.distinct(n, path)
	}
}

// elementNotYet refuses elements such as {new_rows: 10000} in a list of names.
func (d *decoder) elementNotYet(n *node, path string, v reflect.Value) bool {
	if n.kind != mapNode || v.Kind() != reflect.String {
		return false
	}
	refused := false
	for _, k := range n.keys {
		if u, ok := notYet(join(path, k.name), ""); ok {
			d.complainAlways(join(path, k.name), k.at, u.found(), u.String())
			refused = true
		}
	}
	return refused
}

func (d *decoder) distinct(n *node, path string) {
	seen := map[string]bool{}
	for i, item := range n.items {
		if item.kind != textNode && item.kind != looseNode {
			continue
		}
		if seen[item.text] {
			d.complain(index(path, i), item.describe()+" a second time", "expected every element once")
		}
		seen[item.text] = true
	}
}

func (d *decoder) text(n *node, v reflect.Value, path string, r rule) {
	if n.kind != textNode && n.kind != looseNode {
		expected := r.accepts("text")
		if n.kind == numberNode || n.kind == boolNode {
			expected += fmt.Sprintf("; if this is meant, put it in quotes: %q", n.literal())
		}
		if n.kind == mapNode && len(n.keys) == 1 && n.keys[0].value.kind == nullNode { // {port} is a mapping to YAML
			expected += fmt.Sprintf("; if this is meant, put it in quotes: %q", "{"+clip(n.keys[0].name)+"}")
		}
		d.wrong(n, path, expected)
		return
	}
	if u, ok := notYet(path, n.text); ok {
		d.complainAlways(path, n.at, n.describe(), u.String())
		return
	}
	switch {
	case r.enum != nil && !slices.Contains(r.enum, n.text):
		expected := r.accepts("text")
		if near, ok := spelling.Nearest(n.text, r.enum); ok && len(r.enum) > 1 {
			expected += fmt.Sprintf("; did you mean %q?", near)
		}
		d.wrong(n, path, expected)
	case r.pattern != "" && !compiled(r.pattern).MatchString(n.text):
		d.wrong(n, path, r.accepts("text"))
	default:
		v.SetString(n.text)
	}
}

// literal is a scalar as it stands in the file.
func (n *node) literal() string {
	if n.kind == boolNode {
		return fmt.Sprint(n.truth)
	}
	return clip(n.text)
}

func (d *decoder) truth(n *node, v reflect.Value, path string) {
	switch {
	case n.kind == boolNode:
		v.SetBool(n.truth)
	case n.kind == looseNode && (n.text == "true" || n.text == "false"):
		v.SetBool(n.text == "true")
	default:
		d.wrong(n, path, "true or false")
	}
}

func (d *decoder) duration(n *node, u encoding.TextUnmarshaler, path string) {
	switch n.kind {
	case textNode, looseNode:
		if err := u.UnmarshalText([]byte(n.text)); err != nil {
			d.wrong(n, path, durationExpected)
			return
		}
		if z, ok := u.(interface{ IsZero() bool }); ok && z.IsZero() {
			d.wrong(n, path, "a duration above 0")
		}
	case numberNode:
		d.wrong(n, path, fmt.Sprintf("%s: a number alone has no unit, write %q", durationExpected, clip(n.text)+"s"))
	default:
		d.wrong(n, path, durationExpected)
	}
}

func (d *decoder) number(n *node, v reflect.Value, path string, r rule) {
	m := *n
	if m.kind == looseNode {
		m.setNumber(strings.TrimSpace(m.text))
		m.kind = numberNode
	}
	whole := v.CanInt()
	expected := r.accepts("a number")
	if whole {
		expected = r.accepts("a whole number")
	}
	switch {
	case m.kind != numberNode, math.IsInf(m.number, 0), math.IsNaN(m.number), whole && !m.isInt,
		m.number < r.least, r.above && m.number <= r.least, m.number > r.most:
		d.wrong(n, path, expected)
	case whole:
		v.SetInt(m.integer)
	default:
		v.SetFloat(m.number)
	}
}

// accepts says in words what a field takes.
func (r rule) accepts(kind string) string {
	switch {
	case len(r.enum) == 1:
		return r.enum[0]
	case r.enum != nil:
		return "one of " + strings.Join(r.enum, ", ")
	case r.pattern != "":
		return r.inWords
	case kind == "text":
		return kind
	}
	low, high := fmt.Sprintf("at least %.15g", r.least), fmt.Sprintf("at most %.15g", r.most)
	if r.above {
		low = fmt.Sprintf("above %.15g", r.least)
	}
	switch {
	case math.IsInf(r.least, 0) && math.IsInf(r.most, 0):
		return kind
	case math.IsInf(r.most, 0):
		return kind + " of " + low
	case math.IsInf(r.least, 0):
		return kind + " of " + high
	}
	return kind + " " + low + " and " + high
}

// field is a field of one of the spec's types.
type field struct {
	key   string
	index int
	rule  rule
}

func fieldsOf(t reflect.Type) []field {
	fields := make([]field, t.NumField())
	for i := range fields {
		key, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		fields[i] = field{key: key, index: i, rule: ruleOf[t.Name()+"."+key]}
	}
	return fields
}

func keysOf(fields []field) []string {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	return keys
}

// homeOf finds the one place at which a key is a field, for keys that are indented wrongly.
func homeOf(key string) string {
	var homes []string
	walkFields(reflect.TypeFor[Spec](), "", func(path string, _ reflect.StructField, _ rule) {
		if dot := strings.LastIndex(path, "."); dot >= 0 && path[dot+1:] == key {
			homes = append(homes, path[:dot])
		} else if path == key {
			homes = append(homes, "the top of the file")
		}
	})
	if len(homes) != 1 {
		return ""
	}
	return homes[0]
}

// walkFields visits every field below t, elements of lists under the path with [], those of mappings with names of the
// user's under NAME.
func walkFields(t reflect.Type, path string, visit func(path string, f reflect.StructField, r rule)) {
	for _, f := range fieldsOf(t) {
		at := join(path, f.key)
		sf := t.Field(f.index)
		visit(at, sf, f.rule)
		inner, below := innermost(sf.Type)
		if inner.Kind() == reflect.Struct && inner != scalarType {
			walkFields(inner, at+below, visit)
		}
	}
}

// innermost is the type within pointers, lists and mappings, and how a path goes there.
func innermost(t reflect.Type) (inner reflect.Type, below string) {
	for {
		switch t.Kind() {
		case reflect.Pointer:
		case reflect.Slice:
			below += "[]"
		case reflect.Map:
			below += ".NAME"
		default:
			return t, below
		}
		t = t.Elem()
	}
}

var patterns = func() map[string]*regexp.Regexp {
	m := map[string]*regexp.Regexp{}
	for _, r := range rules {
		for _, p := range []string{r.pattern, r.names} {
			if p != "" {
				m[p] = regexp.MustCompile(p)
			}
		}
	}
	return m
}()

func compiled(pattern string) *regexp.Regexp { return patterns[pattern] }

func lowerFirst(s string) string {
	s = strings.TrimSuffix(s, ".")
	if s == "" || strings.HasPrefix(s, "SQL") {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
