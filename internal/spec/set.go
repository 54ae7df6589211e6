package spec

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// override is one parsed --set argument.
type override struct {
	steps []step
	value *node
}

// step goes into a mapping by key or, when key is empty, into a list by index.
type step struct {
	key   string
	index int
}

const setExpected = "expected PATH=VALUE, for example data.split.seed=8 or gates.conditions[0]=auc > 0.8"

// applySets changes the tree as the --set arguments say, in their order.
func applySets(root *node, sets []string) []Problem {
	var problems []Problem
	for _, arg := range sets {
		o, err := parseSet(arg)
		if err == nil {
			err = o.apply(root)
		}
		if err != nil {
			name, _, _ := strings.Cut(arg, "=")
			problems = append(problems, Problem{File: "--set " + clip(name), Found: err.Error(), Expected: setExpected})
		}
	}
	return problems
}

func parseSet(arg string) (override, error) {
	// A path holds no "=", a value may: cut at the first.
	path, value, ok := strings.Cut(arg, "=")
	if !ok {
		return override{}, fmt.Errorf("no = in it")
	}
	steps, err := parsePath(path)
	if err != nil {
		return override{}, err
	}
	steps = withNames(steps)
	if len(arg) > maxBytes {
		return override{}, fmt.Errorf("the value has %d bytes, at most %d are read", len(value), maxBytes)
	}
	return override{steps: steps, value: &node{kind: looseNode, set: true, at: position{file: "--set " + path}, text: value}}, nil
}

func parsePath(path string) ([]step, error) {
	var steps []step
	for _, part := range strings.Split(path, ".") {
		key, brackets, _ := strings.Cut(part, "[")
		if key == "" {
			return nil, fmt.Errorf("the path %q has an empty part", clip(path))
		}
		steps = append(steps, step{key: key})
		if key == part {
			continue
		}
		inner, ok := strings.CutSuffix(brackets, "]")
		if !ok {
			return nil, fmt.Errorf("the path %q has a [ without its ]", clip(path))
		}
		for _, digits := range strings.Split(inner, "][") {
			i, err := strconv.ParseUint(digits, 10, 16)
			if err != nil {
				return nil, fmt.Errorf("%q in the path is not the number of a list element, counted from 0", clip(digits))
			}
			steps = append(steps, step{index: int(i)})
		}
	}
	if len(steps) > maxDepth {
		return nil, fmt.Errorf("the path has more than %d parts", maxDepth)
	}
	return steps, nil
}

// withNames joins the steps that a name of the user's was divided into, since such names may hold dots.
func withNames(steps []step) []step {
	t := reflect.TypeFor[Spec]()
	for i, s := range steps {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		switch t.Kind() {
		case reflect.Struct:
			fields := fieldsOf(t)
			j := slices.IndexFunc(fields, func(f field) bool { return f.key == s.key })
			if j < 0 {
				return steps
			}
			t = t.Field(fields[j].index).Type
		case reflect.Slice:
			t = t.Elem()
		case reflect.Map:
			return slices.Concat(steps[:i], joined(steps[i:], t.Elem()))
		default:
			return steps
		}
	}
	return steps
}

// joined makes one step of those that name an element of type t; what follows is a field of the element.
func joined(steps []step, t reflect.Type) []step {
	end := len(steps)
	if t.Kind() == reflect.Struct && t != scalarType {
		for i := 1; i < len(steps); i++ {
			if slices.Contains(keysOf(fieldsOf(t)), steps[i].key) {
				end = i
			}
		}
	}
	parts := make([]string, end)
	for i, s := range steps[:end] {
		if s.key == "" {
			return steps
		}
		parts[i] = s.key
	}
	return append([]step{{key: strings.Join(parts, ".")}}, steps[end:]...)
}

// apply walks to the place the path names, making mappings and lists that are not there, and puts the value in it.
func (o override) apply(root *node) error {
	at := root
	for i, s := range o.steps {
		slot, err := at.slot(s, o.value.at)
		if err != nil {
			return err
		}
		if i == len(o.steps)-1 {
			*slot = o.value
			return nil
		}
		if *slot == nil || (*slot).kind == nullNode {
			*slot = &node{kind: mapNode, at: o.value.at}
			if o.steps[i+1].key == "" {
				(*slot).kind = listNode
			}
		}
		if at, err = (*slot).opened(); err != nil {
			return err
		}
		*slot = at
	}
	return nil
}

// opened is the mapping or list that the text of an earlier --set stands for, and n itself when it has no such text.
func (n *node) opened() (*node, error) {
	if n.kind != looseNode || !n.set {
		return n, nil
	}
	root, problems, err := readYAML(n.at.file, []byte(n.text))
	if err != nil || len(problems) > 0 {
		return nil, fmt.Errorf("an earlier --set put a text there that is neither a mapping nor a list")
	}
	root.placeAll(n.at)
	return root, nil
}

// slot is where the step's value is kept; the value is nil when it was just made.
func (n *node) slot(s step, at position) (**node, error) {
	if s.key != "" {
		if n.kind != mapNode {
			return nil, fmt.Errorf("there is no field %q in it: the spec has another kind of value there", clip(s.key))
		}
		for i := range n.keys {
			if n.keys[i].name == s.key {
				return &n.keys[i].value, nil
			}
		}
		n.keys = append(n.keys, mapKey{name: s.key, at: at})
		return &n.keys[len(n.keys)-1].value, nil
	}
	switch {
	case n.kind != listNode:
		return nil, fmt.Errorf("there is no element [%d]: the spec has no list there", s.index)
	case s.index > len(n.items):
		return nil, fmt.Errorf("there is no element [%d]: the list has %d (the next one is [%d])", s.index, len(n.items), len(n.items))
	case s.index == len(n.items):
		n.items = append(n.items, nil)
	}
	return &n.items[s.index], nil
}
