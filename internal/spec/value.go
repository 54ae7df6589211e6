package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// Value is one scalar that a parameter has: a finite number, a text or a truth value. The zero Value is the empty text.
type Value struct {
	kind   valueKind
	text   string
	number float64
	truth  bool
}

type valueKind byte

const (
	valueText valueKind = iota
	valueNumber
	valueTruth
)

// Number is a numeric value; it panics on NaN and infinities, which no spec holds.
func Number(f float64) Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		panic(fmt.Sprintf("spec: %v is no parameter value", f))
	}
	return Value{kind: valueNumber, number: f + 0} // makes -0 0: equal values have equal bytes
}

// Text is a value of characters.
func Text(s string) Value { return Value{text: s} }

// Truth is true or false.
func Truth(b bool) Value { return Value{kind: valueTruth, truth: b} }

// Equal reports whether v and w are the same value.
func (v Value) Equal(w Value) bool { return v == w }

// Float is the number and whether the value is one.
func (v Value) Float() (float64, bool) { return v.number, v.kind == valueNumber }

// String is the value as a program gets it in an argument: whole numbers without a point, other numbers with the fewest
// digits that read back as the same, True and False as SageMaker's toolkit writes them.
func (v Value) String() string {
	switch v.kind {
	case valueNumber:
		if v.number == math.Trunc(v.number) && math.Abs(v.number) < 1e15 {
			return strconv.FormatInt(int64(v.number), 10)
		}
		return strconv.FormatFloat(v.number, 'g', -1, 64)
	case valueTruth:
		if v.truth {
			return "True"
		}
		return "False"
	default:
		return v.text
	}
}

// MarshalJSON gives the JSON scalar.
func (v Value) MarshalJSON() ([]byte, error) {
	switch v.kind {
	case valueNumber:
		return json.Marshal(v.number)
	case valueTruth:
		return json.Marshal(v.truth)
	default:
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v.text); err != nil {
			return nil, err
		}
		return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
	}
}

// UnmarshalJSON reads a JSON scalar; null, arrays and objects are refused.
func (v *Value) UnmarshalJSON(b []byte) error {
	var any any
	if err := json.Unmarshal(b, &any); err != nil {
		return err
	}
	switch scalar := any.(type) {
	case string:
		*v = Text(scalar)
	case bool:
		*v = Truth(scalar)
	case float64:
		*v = Number(scalar)
	default:
		return fmt.Errorf("read a parameter: expected a number, a text, true or false")
	}
	return nil
}
