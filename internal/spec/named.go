package spec

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Names that the user chooses. A parameter's becomes an argument --name, a variable's stands in a program's environment.
const (
	parameterPattern = `^[A-Za-z_][A-Za-z0-9_.-]{0,63}$`
	parameterInWords = "a letter or _, then at most 63 letters, digits and any of _ . -"
	variablePattern  = `^[A-Za-z_][A-Za-z0-9_]{0,255}$`
	variableInWords  = "a letter or _, then at most 255 letters, digits and _"
)

var scalarType = reflect.TypeFor[Value]()

// named decodes a mapping whose keys are names of the user's.
func (d *decoder) named(n *node, v reflect.Value, path string, r rule) {
	if n.kind != mapNode {
		d.wrong(n, path, "a mapping of names, such as {first: ..., second: ...}")
		return
	}
	if len(n.keys) == 0 {
		if r.filled {
			d.complainAlways(path, n.at, "found an empty mapping", "expected at least one name, or the field left out")
		}
		return // nil, so that an empty mapping and none are the same spec
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.keys)))
	for _, k := range n.keys {
		if !compiled(r.names).MatchString(k.name) {
			d.complainAlways(join(path, clip(k.name)), k.at, fmt.Sprintf("found the name %q", clip(k.name)), "expected "+r.namesInWords)
			continue
		}
		at := join(path, k.name)
		d.names[at] = k.at
		element := reflect.New(v.Type().Elem()).Elem()
		if element.Kind() == reflect.String && d.unfitVariable(k, at) {
			continue
		}
		d.value(k.value, element, at, r)
		v.SetMapIndex(reflect.ValueOf(k.name), element)
	}
}

// unfitVariable refuses what a program's environment must not hold: values that would make their way from the
// environment of the reader into stored history, and names that Assay needs itself.
func (d *decoder) unfitVariable(k mapKey, path string) bool {
	switch {
	case setByAssay(k.name):
		d.complainAlways(path, k.at, fmt.Sprintf("found the variable %s", clip(k.name)), "leave it out: Assay sets it for the program")
	case k.value.written != "":
		d.complainAlways(path, k.value.at, k.value.describe(), fmt.Sprintf("expected a text that may be stored: a spec is kept in Temporal's history and in the model's record; "+
			"leave %s out and name it on the worker with --pass-env %s", clip(k.name), clip(k.name)))
	default:
		return false
	}
	return true
}

// setByAssay reports whether a variable of programs is Assay's to set.
func setByAssay(name string) bool {
	return strings.HasPrefix(name, "SM_") || strings.HasPrefix(name, "ASSAY_") || slices.Contains([]string{"PATH", "HOME", "CUDA_VISIBLE_DEVICES"}, name)
}

// keptOutOfHistory reports whether the text at a path is stored for all to read although it is where secrets usually
// stand. ${NAME} is not looked up there.
func keptOutOfHistory(path string) bool {
	return strings.HasPrefix(path, "train.command.environment.") || strings.HasPrefix(path, "serve.environment.")
}

const scalarExpected = "a finite decimal number, a text, true or false"

// notFiniteRE is how YAML writes the numbers that JSON has no words for.
var notFiniteRE = regexp.MustCompile(`^(?i:[-+]?\.inf|\.nan)$`)

// scalar decodes the value of a parameter.
func (d *decoder) scalar(n *node, v reflect.Value, path string) {
	m := *n
	if m.kind == looseNode {
		m.tighten()
	}
	var value Value
	switch {
	case m.kind == boolNode:
		value = Truth(m.truth)
	case m.kind == numberNode && math.IsInf(m.number, 0), m.kind == textNode && m.plain && notFiniteRE.MatchString(m.text):
		d.wrong(n, path, scalarExpected)
		return
	case m.kind == numberNode && !m.exact():
		d.wrong(n, path, "a number of at most 15 digits, which is what all programs keep; if every digit matters, put it in quotes")
		return
	case m.kind == numberNode:
		value = Number(m.number)
	case m.kind == textNode && strings.ContainsRune(m.text, 0):
		d.wrong(n, path, "a text without zero characters: it becomes an argument of a program")
		return
	case m.kind == textNode:
		value = Text(m.text)
	default:
		d.wrong(n, path, scalarExpected)
		return
	}
	v.Set(reflect.ValueOf(value))
}

// tighten makes a loose text the number or truth value it reads as, otherwise plain text.
func (n *node) tighten() {
	number := strings.TrimSpace(n.text)
	switch {
	case n.text == "true" || n.text == "false":
		n.kind, n.truth = boolNode, n.text == "true"
	case numberRE.MatchString(number):
		n.setNumber(strings.TrimPrefix(number, "+"))
	default:
		n.kind = textNode
	}
}

// mostInteger is up to where a float64 holds every whole number.
const mostInteger = 1 << 53

// exact reports whether a whole number keeps its digits as a float64. Fractions are rounded, as everywhere.
func (n *node) exact() bool {
	return strings.ContainsAny(n.text, ".eE") ||
		n.isInt && -mostInteger <= n.integer && n.integer <= mostInteger ||
		n.text == strconv.FormatFloat(n.number, 'f', -1, 64) // what the canonical form writes
}
