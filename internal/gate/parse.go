package gate

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// SyntaxError says where a condition cannot be understood.
type SyntaxError struct {
	Text    string // the condition as written
	Column  int    // byte the message is about, from 1
	Message string
}

// Error names the condition, the column and what was expected there.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("condition %q, column %d: %s", e.Text, e.Column, e.Message)
}

// Parse reads a condition of the form
//
//	metric op bound                          recall > 0.6
//	metric[attribute=group] op bound         recall[sex=Female] > 0.6
//	metric[attribute] op bound               demographic_parity_difference[sex] < 0.2
//
// with op one of < <= > >= and the bound a decimal number. Metrics of rows take a group or nothing, gaps between groups
// take an attribute, metrics of the table take nothing. Attribute and group names may hold spaces, hyphens and signs; a
// name that starts with a quote or holds "]" (or, in an attribute, "=") stands in double or single quotes, within
// which a backslash makes the next character stand for itself. Blanks around names do not count outside quotes.
//
// Every error is a *SyntaxError.
func Parse(text string) (Condition, error) {
	p := &parser{text: text}
	c, err := p.condition()
	if err != nil {
		return Condition{}, err
	}
	return c, nil
}

type parser struct {
	text string
	at   int
}

func (p *parser) fail(at int, format string, args ...any) *SyntaxError {
	return &SyntaxError{Text: p.text, Column: at + 1, Message: fmt.Sprintf(format, args...)}
}

func (p *parser) rest() string { return p.text[p.at:] }

func (p *parser) skipBlanks() {
	p.at = len(p.text) - len(strings.TrimLeftFunc(p.rest(), unicode.IsSpace))
}

func (p *parser) condition() (Condition, error) {
	c := Condition{Text: p.text}
	m, err := p.metric()
	if err != nil {
		return c, err
	}
	c.Metric = m.name
	if c.Slice, err = p.slice(m); err != nil {
		return c, err
	}
	if c.Op, err = p.op(c); err != nil {
		return c, err
	}
	if c.Bound, err = p.bound(m); err != nil {
		return c, err
	}
	return c, p.end(c)
}

func (p *parser) metric() (metric, error) {
	p.skipBlanks()
	start := p.at
	for p.at < len(p.text) && isWord(p.text[p.at]) {
		p.at++
	}
	word := p.text[start:p.at]
	if later, ok := p.later(start, word); ok {
		return metric{}, later
	}
	if word == "" {
		return metric{}, p.fail(start, "expected a metric such as accuracy, found %s", found(p.rest()))
	}
	m, ok := findMetric(word)
	if !ok {
		names := append(MetricNames(ScopeGate), MetricNames(ScopeRollout)...)
		return metric{}, p.fail(start, "unknown metric %q; %s", word, didYouMean(word, names))
	}
	return m, nil
}

// later recognises the variables of comparisons between models, and expressions of numbers, at a condition's start.
func (p *parser) later(start int, word string) (*SyntaxError, bool) {
	switch {
	case word == "n":
		return p.fail(start, "n (the new model's accuracy) is not available yet; write accuracy"), true
	case word == "o":
		return p.fail(start, "o (the old model's accuracy) is not available yet; write a bound on the new model's accuracy, such as accuracy > 0.8"), true
	case word == "d":
		return p.fail(start, "d (the share of predictions that changed) is not available yet; write a condition on the new model alone, such as accuracy > 0.8"), true
	case strings.HasPrefix(p.text[start:], "("):
		return p.fail(start, "arithmetic is not available yet; write one metric, such as accuracy > 0.8"), true
	case startsNumber(p.text[start:]):
		return p.fail(start, "expected the metric first, as in accuracy > 0.8; arithmetic is not available yet"), true
	}
	return nil, false
}

func (p *parser) slice(m metric) (Slice, error) {
	p.skipBlanks()
	start := p.at
	if !strings.HasPrefix(p.rest(), "[") {
		if m.subject == ofAttribute {
			return Slice{}, p.fail(start, "%s compares the groups of an attribute; name it, as in %s[sex]", m.name, m.name)
		}
		return Slice{}, nil
	}
	if m.subject == ofTable {
		return Slice{}, p.fail(start, "%s is a number of the whole; write it without brackets", m.name)
	}
	p.at++
	s, err := p.names()
	if err != nil {
		return Slice{}, err
	}
	switch {
	case m.subject == ofRows && !s.HasGroup:
		return Slice{}, p.fail(start, "%s is taken on one group; name it, as in %s[%s=...]", m.name, m.name, quoteName(s.Attribute, "]="))
	case m.subject == ofAttribute && s.HasGroup:
		return Slice{}, p.fail(start, "%s compares all groups; name the attribute alone: %s%s", m.name, m.name, Slice{Attribute: s.Attribute})
	}
	return s, nil
}

// names reads what stands between the brackets, and the closing one.
func (p *parser) names() (Slice, error) {
	start := p.at
	var s Slice
	var err error
	if s.Attribute, err = p.name("]="); err != nil {
		return s, err
	}
	if s.Attribute == "" {
		return s, p.fail(start, "expected the name of an attribute, as in [sex=Female]")
	}
	if strings.HasPrefix(p.rest(), "=") {
		p.at++
		groupStart := p.at
		s.HasGroup = true
		if s.Group, err = p.name("]"); err != nil {
			return s, err
		}
		if s.Group == "" && !strings.ContainsAny(p.text[groupStart:p.at], `"'`) {
			return s, p.fail(groupStart, "expected the name of a group, as in [%s=...]", quoteName(s.Attribute, "]="))
		}
	}
	if !strings.HasPrefix(p.rest(), "]") {
		return s, p.fail(p.at, `expected "]", found %s`, found(p.rest()))
	}
	p.at++
	return s, nil
}

// name reads a name in quotes, or bare up to one of the bytes in ends.
func (p *parser) name(ends string) (string, error) {
	p.skipBlanks()
	if p.at < len(p.text) && (p.text[p.at] == '"' || p.text[p.at] == '\'') {
		name, err := p.quoted()
		p.skipBlanks()
		return name, err
	}
	length := strings.IndexAny(p.rest(), ends)
	if length < 0 {
		length = len(p.rest())
	}
	name := p.text[p.at : p.at+length]
	p.at += length
	return strings.TrimSpace(name), nil
}

func (p *parser) quoted() (string, error) {
	start, quote := p.at, p.text[p.at]
	var name []byte
	for p.at++; p.at < len(p.text); p.at++ {
		switch b := p.text[p.at]; {
		case b == quote:
			p.at++
			return string(name), nil
		case b == '\\' && p.at+1 < len(p.text):
			p.at++
			name = append(name, p.text[p.at])
		default:
			name = append(name, b)
		}
	}
	return "", p.fail(start, "the quoted name does not end; expected another %c", quote)
}

func (p *parser) op(c Condition) (Op, error) {
	p.skipBlanks()
	for _, op := range []Op{LessOrEqual, GreaterOrEqual, Less, Greater} {
		if strings.HasPrefix(p.rest(), string(op)) {
			p.at += len(op)
			return op, nil
		}
	}
	switch {
	case startsWithAny(p.rest(), "+", "-", "*", "/"):
		return "", p.fail(p.at, "arithmetic is not available yet; write a condition on %s alone", c.Subject())
	default:
		return "", p.fail(p.at, "expected <, <=, > or >=, found %s", found(p.rest()))
	}
}

func (p *parser) bound(m metric) (float64, error) {
	p.skipBlanks()
	start := p.at
	for p.at < len(p.text) && inNumber(p.text, p.at, start) {
		p.at++
	}
	written := p.text[start:p.at]
	if written == "" {
		return 0, p.fail(start, "expected a number such as 0.8, found %s", found(p.rest()))
	}
	bound, err := strconv.ParseFloat(written, 64)
	if err != nil || math.IsInf(bound, 0) {
		return 0, p.fail(start, "%q is not a decimal number", written)
	}
	if strings.HasPrefix(p.rest(), "%") {
		return 0, p.fail(p.at, "percent is not understood; write %s", formatNumber(bound/100))
	}
	if err := m.checkBound(bound); err != nil {
		return 0, p.fail(start, "%v", err)
	}
	return bound + 0, nil // turns -0 into 0, which reads better
}

func (p *parser) end(c Condition) error {
	p.skipBlanks()
	rest := p.rest()
	switch {
	case rest == "":
		return nil
	case startsWithAny(rest, "+/-", "±"):
		return p.fail(p.at, "a tolerance is not available yet; write %s", c)
	case startsWithAny(rest, `/\`, "&", "|", ",", ";", "and", "or", "AND", "OR"):
		return p.fail(p.at, "joining conditions is not available yet; write each as an item of its own, the first as %s", c)
	case startsWithAny(rest, "+", "-", "*", "/"):
		return p.fail(p.at, "arithmetic is not available yet; write the bound as one number")
	default:
		return p.fail(p.at, "expected the end of the condition, found %s", found(rest))
	}
}

func isWord(b byte) bool {
	return b == '_' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9'
}

func startsNumber(text string) bool {
	return text != "" && (strings.IndexByte("0123456789.+-", text[0]) >= 0)
}

// inNumber reports whether byte i continues the number that begins at start; a sign does at the start and in an exponent.
func inNumber(text string, i, start int) bool {
	switch b := text[i]; b {
	case '+', '-':
		return i == start || text[i-1] == 'e' || text[i-1] == 'E'
	case '.', 'e', 'E':
		return true
	default:
		return b >= '0' && b <= '9'
	}
}

func startsWithAny(text string, prefixes ...string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return false
}

// found names what stands where something else was expected.
func found(rest string) string {
	rest = strings.TrimSpace(rest)
	if rest == "" {
		return "the end"
	}
	if word, _, cut := strings.Cut(rest, " "); cut {
		rest = word
	}
	return strconv.Quote(rest)
}
