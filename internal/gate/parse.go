package gate

import (
	"math"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/stats"
)

// The size of conditions that are read: longer and deeper ones are no conditions.
const (
	longestText = 4096 // bytes
	deepest     = 50   // parentheses within parentheses
)

// Parse reads a condition, the language of ease.ml/ci (Renggli et al., SysML 2019, section 2.2) made whole:
//
//	formula := clause { ("/\" | "and") clause }
//	clause  := expr ("<" | "<=" | ">" | ">=") number [ ("+/-" | "±") number ]
//	expr    := ["-"] product { ("+" | "-") product }
//	product := factor { "*" factor }                      with exactly one factor that is not a number
//	factor  := number | atom | "(" expr ")" | "-" factor
//	atom    := "n" | "o" | "d" | ["new." | "old."] metric [ "(" class ")" ] [ "[" slice "]" ]
//	slice   := part { "*" part }
//	part    := column [ "=" value ]
//
// as in
//
//	recall > 0.6                                          n - o > 0.02 +/- 0.01
//	recall[sex=Female*race=Black] > 0.6 +/- 0.05          n - 1.1*o > 0.01 +/- 0.01 /\ d < 0.1 +/- 0.01
//	demographic_parity_difference[sex*race] < 0.2         recall[sex=Female] - recall[sex=Male] > -0.1
//	precision(setosa) > 0.9                               old.auc < 0.9
//
// n is the accuracy of the new model, o of the old one, d the share of rows on which they differ; a metric without a prefix is
// the new model's. Numbers are decimal; what follows +/- is the clause's tolerance, above 0. Metrics of rows take nothing or
// parts with values, gaps between groups take columns alone, metrics of the table nothing. own are metrics of the user's,
// which must have passed their Check.
//
// Names of columns, values and classes may hold blanks, hyphens and signs; one that begins with a quote or holds what would end
// it ("]" and "*", in a column "=" too, in a class ")") stands in double or single quotes, within which a backslash makes the
// next character stand for itself. Blanks around names do not count outside quotes.
//
// A number alone in a sum is refused: it belongs to the bound. So is an expression in which everything cancels, and a bound that
// the expression can never cross. Every error is a *SyntaxError.
func Parse(text string, own ...Own) (Formula, error) {
	p := &parser{text: text, own: own}
	f, err := p.formula()
	if err != nil {
		return Formula{}, err
	}
	return f, nil
}

type parser struct {
	text string
	at   int
	own  []Own
	used []Own // of own, what the condition names
}

func (p *parser) formula() (Formula, error) {
	f := Formula{Text: p.text}
	if len(p.text) > longestText {
		return f, p.fail(longestText, "the condition is longer than %d bytes; write it as several, each an item of its own", longestText)
	}
	for {
		c, err := p.clause()
		if err != nil {
			return f, err
		}
		f.Clauses = append(f.Clauses, c)
		f.Own = p.used
		more, err := p.joined()
		if err != nil || !more {
			return f, err
		}
	}
}

// joined reads what joins two clauses, and reports whether another one follows.
func (p *parser) joined() (bool, error) {
	p.skipBlanks()
	rest := p.rest()
	word := leadingWord(rest)
	switch {
	case rest == "":
		return false, nil
	case strings.HasPrefix(rest, `/\`):
		p.at += len(`/\`)
		return true, nil
	case word == "and":
		p.at += len("and")
		return true, nil
	case strings.EqualFold(word, "or") || startsWithAny(rest, "|", `\/`):
		return false, p.fail(p.at, `conditions are joined by /\ or by "and" only: all of them must hold`)
	case strings.EqualFold(word, "and") || startsWithAny(rest, "&", ",", ";"):
		return false, p.fail(p.at, `join conditions by /\ or by "and", or write each as an item of its own`)
	case startsWithAny(rest, "+-", "-+"):
		return false, p.fail(p.at, "write a tolerance as +/- 0.02")
	case startsWithAny(rest, "+", "-", "*", "/"):
		return false, p.fail(p.at, "write the bound as one number")
	default:
		return false, p.fail(p.at, "expected the end of the condition, found %s", found(rest))
	}
}

func (p *parser) clause() (Clause, error) {
	p.skipBlanks()
	start := p.at
	var c Clause
	var err error
	if c.Expr, err = p.expr(0); err != nil {
		return c, err
	}
	c.Subject = strings.TrimSpace(p.text[start:p.at])
	if len(c.Expr.combined()) == 0 {
		return c, p.fail(start, "everything in %s cancels, so there is nothing to measure", c.Expr)
	}
	if c.Op, err = p.op(); err != nil {
		return c, err
	}
	p.skipBlanks()
	boundAt := p.at
	if c.Bound, err = p.number("0.8"); err != nil {
		return c, err
	}
	tolerance, toleranceAt, err := p.tolerance()
	if err != nil {
		return c, err
	}
	c.Tolerance = tolerance
	c.Text = p.text[start:p.at]
	if atTolerance, err := (Formula{Own: p.used}).checkBound(c, ""); err != nil {
		if atTolerance {
			boundAt = toleranceAt
		}
		return c, p.fail(boundAt, "%v", err)
	}
	return c, nil
}

// tolerance reads what may follow a bound; at is where its number stands.
func (p *parser) tolerance() (value float64, at int, err error) {
	before := p.at
	p.skipBlanks()
	sign := ""
	for _, s := range []string{"+/-", "±"} {
		if strings.HasPrefix(p.rest(), s) {
			sign = s
		}
	}
	if sign == "" {
		p.at = before
		return 0, before, nil
	}
	p.at += len(sign)
	p.skipBlanks()
	at = p.at
	if value, err = p.number("0.02"); err != nil {
		return 0, at, err
	}
	if value <= 0 {
		return 0, at, p.fail(at, "the tolerance is %s; expected a number above 0, or leave it out", formatNumber(value))
	}
	return value, at, nil
}

// expr reads a sum. Coefficients are multiplied out, so that it is a sum of terms.
func (p *parser) expr(depth int) (Expr, error) {
	var sum Expr
	sign := 1.0
	for {
		terms, err := p.product(sign, depth)
		if err != nil {
			return nil, err
		}
		sum = append(sum, terms...)
		p.skipBlanks()
		switch rest := p.rest(); {
		case startsWithAny(rest, "+/-", "+-"):
			return sum, nil
		case strings.HasPrefix(rest, "+"):
			sign = 1
		case strings.HasPrefix(rest, "-"):
			sign = -1
		default:
			return sum, nil
		}
		p.at++
	}
}

// product reads a metric or a sum in parentheses, and the numbers that it is multiplied by.
func (p *parser) product(sign float64, depth int) (Expr, error) {
	p.skipBlanks()
	start, coefficient := p.at, sign
	var terms Expr
	for {
		for p.skipBlanks(); strings.HasPrefix(p.rest(), "-"); p.skipBlanks() {
			p.at++
			coefficient = -coefficient
		}
		at := p.at
		value, inner, err := p.factor(depth)
		if err != nil {
			return nil, err
		}
		if inner != nil && terms != nil {
			return nil, p.fail(at, "metrics cannot be multiplied by one another; multiply one by a number, as in 1.1*o")
		}
		if inner != nil {
			terms = inner
		}
		coefficient *= value
		p.skipBlanks()
		if !strings.HasPrefix(p.rest(), "*") {
			break
		}
		p.at++
	}
	if err := p.afterProduct(start, terms); err != nil {
		return nil, err
	}
	for i := range terms {
		c := terms[i].Coefficient * coefficient
		if c == 0 || math.IsInf(c, 0) {
			return nil, p.fail(start, "%s is multiplied by %g; expected a finite number other than 0", terms[i].Quantity, c)
		}
		terms[i].Coefficient = c
	}
	return terms, nil
}

// afterProduct refuses what follows a product when it cannot, and a product of numbers alone.
func (p *parser) afterProduct(start int, terms Expr) error {
	rest := p.rest()
	switch {
	case strings.HasPrefix(rest, "/") && !strings.HasPrefix(rest, `/\`):
		return p.fail(p.at, "division is not understood; multiply by a number, as in 0.5*n")
	case terms != nil:
		return nil
	case leadingWord(rest) != "" || strings.HasPrefix(rest, "("):
		return p.fail(p.at, "expected * between the number and %s", found(rest))
	case start == 0 && startsWithAny(rest, "<", ">"):
		return p.fail(start, "expected the metric first and the bound last, as in recall > 0.8")
	default:
		return p.fail(start, "a number alone cannot stand here; move it to the bound, as in n - o > 0.02")
	}
}

// factor reads one factor: a number, or the terms of a metric or of a sum in parentheses.
func (p *parser) factor(depth int) (value float64, terms Expr, err error) {
	switch {
	case strings.HasPrefix(p.rest(), "("):
		terms, err = p.parentheses(depth)
		return 1, terms, err
	case startsNumber(p.rest()):
		value, err = p.number("1.1")
		return value, nil, err
	}
	q, err := p.atom()
	if err != nil {
		return 0, nil, err
	}
	return 1, Expr{{Coefficient: 1, Quantity: q}}, nil
}

func (p *parser) parentheses(depth int) (Expr, error) {
	if depth == deepest {
		return nil, p.fail(p.at, "more than %d parentheses stand within one another; leave out those that are not needed", deepest)
	}
	p.at++
	sum, err := p.expr(depth + 1)
	if err != nil {
		return nil, err
	}
	switch {
	case startsWithAny(p.rest(), "<", ">"):
		return nil, p.fail(p.at, "parentheses hold sums and no comparisons; leave them out")
	case !strings.HasPrefix(p.rest(), ")"):
		return nil, p.fail(p.at, `expected ")", found %s`, found(p.rest()))
	}
	p.at++
	return sum, nil
}

// op reads the comparison.
func (p *parser) op() (Op, error) {
	for _, op := range []Op{LessOrEqual, GreaterOrEqual, Less, Greater} {
		if strings.HasPrefix(p.rest(), string(op)) {
			p.at += len(op)
			return op, nil
		}
	}
	return "", p.fail(p.at, "expected <, <=, > or >=, found %s", found(p.rest()))
}

// atom reads a quantity.
func (p *parser) atom() (Quantity, error) {
	start := p.at
	q := Quantity{Which: New}
	word := p.word()
	prefixed := (word == string(New) || word == string(Old)) && strings.HasPrefix(p.rest(), ".")
	if prefixed {
		q.Which = Which(word)
		p.at++
		start = p.at
		word = p.word()
	}
	m, err := p.variable(&q, word, start, prefixed)
	if err != nil {
		return q, err
	}
	q.Metric = m.Name
	if err := p.class(&q, m); err != nil {
		return q, err
	}
	q.Slice, err = p.slice(m)
	return q, err
}

// variable finds the metric that a word names, and whose it is.
func (p *parser) variable(q *Quantity, word string, start int, prefixed bool) (Metric, error) {
	name := word
	switch word {
	case "":
		return Metric{}, p.fail(start, "expected a metric such as accuracy, found %s", found(p.text[start:]))
	case "n", "o":
		if prefixed {
			return Metric{}, p.fail(start, "%s is the accuracy of the new or the old model already; write %s.accuracy", word, q.Which)
		}
		name = stats.Accuracy
		if word == "o" {
			q.Which = Old
		}
	case "d":
		name = stats.Disagreement
	}
	m, ok := p.find(name)
	if !ok {
		return m, p.fail(start, "unknown metric %q; %s", clip(word), didYouMean(word, p.names()))
	}
	switch {
	case name == stats.Disagreement && prefixed:
		return m, p.fail(start, "%s compares the new model with the old one; write d", stats.Disagreement)
	case name == stats.Disagreement:
		q.Which = Both
	case m.newModel && q.Which == Old:
		return m, p.fail(start, "%s is not measured of the old model; write it without old.", name)
	}
	return m, nil
}

func (p *parser) find(name string) (Metric, bool) {
	if m, ok := FindMetric(name); ok {
		return m, true
	}
	i := slices.IndexFunc(p.own, func(o Own) bool { return o.Name == name })
	if i < 0 {
		return Metric{}, false
	}
	if !slices.ContainsFunc(p.used, func(o Own) bool { return o.Name == name }) {
		p.used = append(p.used, p.own[i])
	}
	return p.own[i].metric(), true
}

// names are all metrics that a condition could mean.
func (p *parser) names() []string {
	names := append(MetricNames(ScopeGate), MetricNames(ScopeRollout)...)
	for _, o := range p.own {
		names = append(names, o.Name)
	}
	return names
}
