package gate

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

func (p *parser) fail(at int, format string, args ...any) *SyntaxError {
	return &SyntaxError{Text: p.text, Column: at + 1, Message: oneLine(fmt.Sprintf(format, args...))}
}

func (p *parser) rest() string { return p.text[p.at:] }

func (p *parser) skipBlanks() {
	p.at = len(p.text) - len(strings.TrimLeftFunc(p.rest(), unicode.IsSpace))
}

// word reads the letters, digits and _ that come next.
func (p *parser) word() string {
	word := leadingWord(p.rest())
	p.at += len(word)
	return word
}

// number reads a decimal number with its sign; such shows one in messages.
func (p *parser) number(such string) (float64, error) {
	start := p.at
	for p.at < len(p.text) && inNumber(p.text, p.at, start) {
		p.at++
	}
	written := p.text[start:p.at]
	if written == "" {
		return 0, p.fail(start, "expected a number such as %s, found %s", such, found(p.rest()))
	}
	value, err := strconv.ParseFloat(written, 64)
	if err != nil || math.IsInf(value, 0) {
		return 0, p.fail(start, "%q is not a decimal number", clip(written))
	}
	if strings.HasPrefix(p.rest(), "%") {
		return 0, p.fail(p.at, "percent is not understood; write %s", shortNumber(value/100))
	}
	return value + 0, nil // turns -0 into 0, which reads better
}

// class reads the class of a per-class form.
func (p *parser) class(q *Quantity, m Metric) error {
	before := p.at
	p.skipBlanks()
	if !strings.HasPrefix(p.rest(), "(") {
		p.at = before
		return nil
	}
	if !m.PerClass() {
		return p.fail(p.at, "%s has no form for one class; write it without parentheses", m.Name)
	}
	p.at++
	start := p.at
	var err error
	if q.Class, err = p.name(classEnds); err != nil {
		return err
	}
	if q.Class == "" && !strings.ContainsAny(p.text[start:p.at], `"'`) {
		return p.fail(start, "expected the name of a class, as in %s(setosa)", m.Name)
	}
	q.HasClass = true
	if !strings.HasPrefix(p.rest(), ")") {
		return p.fail(p.at, `expected ")", found %s`, found(p.rest()))
	}
	p.at++
	return nil
}

// slice reads what stands in brackets behind a metric.
func (p *parser) slice(m Metric) (Slice, error) {
	before := p.at
	p.skipBlanks()
	start := p.at
	if !strings.HasPrefix(p.rest(), "[") {
		if m.Subject == OfGaps {
			return Slice{}, p.fail(start, "%s compares the groups of a column; name it, as in %s[sex]", m.Name, m.Name)
		}
		p.at = before
		return Slice{}, nil
	}
	if m.Subject == OfTable {
		return Slice{}, p.fail(start, "%s is a number of the whole; write it without brackets", m.Name)
	}
	var s Slice
	for more := true; more; {
		p.at++ // the bracket, or the * before another part
		p.skipBlanks()
		partAt := p.at
		part, err := p.part()
		if err != nil {
			return s, err
		}
		if slices.Contains(s.Columns(), part.Column) {
			return s, p.fail(partAt, "the column %s stands twice; a row has one value of it", quoteName(part.Column, columnEnds))
		}
		if err := p.fits(m, part, start, partAt); err != nil {
			return s, err
		}
		s.Parts = append(s.Parts, part)
		more = strings.HasPrefix(p.rest(), "*")
	}
	if !strings.HasPrefix(p.rest(), "]") {
		return s, p.fail(p.at, `expected "]", found %s`, found(p.rest()))
	}
	p.at++
	return s, nil
}

// fits refuses a column alone where rows are meant, and a value where columns are.
func (p *parser) fits(m Metric, part Part, start, partAt int) error {
	column := quoteName(part.Column, columnEnds)
	switch {
	case p.rest() == "":
		return p.fail(p.at, `expected "]", found the end`)
	case m.Subject == OfRows && !part.HasValue:
		return p.fail(start, "%s is taken on the rows that have a value; name it, as in %s[%s=...]", m.Name, m.Name, column)
	case m.Subject == OfGaps && part.HasValue:
		return p.fail(partAt, "%s compares all groups; name the column alone: %s[%s]", m.Name, m.Name, column)
	}
	return nil
}

// part reads a column, and the value behind it where there is one.
func (p *parser) part() (Part, error) {
	start := p.at
	var part Part
	var err error
	if part.Column, err = p.name(columnEnds); err != nil {
		return part, err
	}
	if part.Column == "" {
		return part, p.fail(start, "expected the name of a column, as in [sex=Female]")
	}
	if !strings.HasPrefix(p.rest(), "=") {
		return part, nil
	}
	p.at++
	valueAt := p.at
	part.HasValue = true
	if part.Value, err = p.name(valueEnds); err != nil {
		return part, err
	}
	if part.Value == "" && !strings.ContainsAny(p.text[valueAt:p.at], `"'`) {
		return part, p.fail(valueAt, "expected a value, as in [%s=...]", quoteName(part.Column, columnEnds))
	}
	return part, nil
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

// leadingWord is the letters, digits and _ that text begins with.
func leadingWord(text string) string {
	i := 0
	for i < len(text) && isWord(text[i]) {
		i++
	}
	return text[:i]
}

func isWord(b byte) bool {
	return b == '_' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9'
}

// startsNumber reports whether an unsigned number begins text.
func startsNumber(text string) bool {
	return text != "" && (text[0] == '.' || text[0] >= '0' && text[0] <= '9')
}

// inNumber reports whether byte i continues the number that begins at start; a sign does at the start and in an exponent.
func inNumber(text string, i, start int) bool {
	switch b := text[i]; b {
	case '+', '-':
		return i == start || text[i-1] == 'e' || text[i-1] == 'E'
	case '.':
		return true
	case 'e', 'E':
		return i > start
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
	return strconv.Quote(clip(rest))
}

// clip keeps a word short enough for a message.
func clip(word string) string {
	const most = 40
	if r := []rune(word); len(r) > most {
		return string(r[:most]) + "..."
	}
	return word
}
