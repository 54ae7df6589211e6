package privacy

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-ml/assay/internal/stats"
)

// Rules that give a finding its certainty.
const (
	ruleChecked      = "most distinct values of the shape pass the check, and more of them than chance explains (error 1e-6)"
	ruleSomeChecked  = "more than twice as many distinct values of the shape pass the check as chance explains (error 1e-6), but not most"
	ruleFewChecked   = "most distinct values of the shape pass the check, and chance explains that with a probability below 1e-3"
	ruleHardlyAny    = "most distinct values of the shape pass the check, but so few that chance explains it with a probability of up to 0.02"
	ruleNamedChecked = "the name of the column says so and most distinct values of the shape pass the check"
	ruleForm         = "three or more distinct values have a form that nothing else has"
	ruleFewForms     = "one or two distinct values have a form that nothing else has"
	ruleNamedForm    = "the name of the column says so and most values have the form"
	ruleHalfForm     = "half of the values or more have a form that other values can have too"
	ruleSomeForm     = "some values have a form that other values can have too"
	ruleNamed        = "the name of the column says so; the values have no form that could confirm it"
	ruleNamedUnique  = "the name of the column says so and half of the values or more are distinct"
	ruleUnique       = "nearly every row has a value of its own"
	ruleSentences    = "the values are long and made of words: they can hold anything about a person"
)

const (
	fewDistinct = 10 // values that a category or a flag has; the name of such a column proves nothing
	fewRows     = 20 // rows below which distinct values are no sign of an identifier
)

// columnTally counts what the values of one column look like.
type columnTally struct {
	text           bool
	rows, distinct int   // with a value
	shaped, fits   []int // distinct values, by place
	matching       []int // rows, by place
	bytes          int
	worded         int  // rows with four spaces or more
	whole          bool // all values are whole numbers
	measures       bool // text that holds decimal numbers
}

func newTally(text bool) *columnTally {
	return &columnTally{text: text, shaped: make([]int, places), fits: make([]int, places), matching: make([]int, places), whole: !text}
}

func (t *columnTally) add(m marks, rows int) {
	for place := 0; m.shaped != 0; place++ {
		if m.shaped&1 != 0 {
			t.shaped[place]++
			if m.fits&1 != 0 {
				t.fits[place]++
				t.matching[place] += rows
			}
		}
		m.shaped >>= 1
		m.fits >>= 1
	}
}

func tallyText(c ScanColumn, drawn []int) *columnTally {
	t := newTally(true)
	weights := make([]int, len(c.Levels))
	count := func(code int32) {
		if code >= 0 {
			weights[code]++
		}
	}
	if drawn == nil {
		for _, code := range c.Codes {
			count(code)
		}
	} else {
		for _, i := range drawn {
			count(c.Codes[i])
		}
	}
	decimals := 0
	for k, rows := range weights {
		s := c.Levels[k]
		if rows == 0 || strings.TrimSpace(s[:min(len(s), mostRead)]) == "" {
			continue
		}
		t.rows += rows
		t.distinct++
		t.bytes += rows * len(s)
		if len(s) < 40 {
			if dot := strings.IndexByte(s, '.'); dot >= 0 && dot == strings.LastIndexByte(s, '.') {
				if _, err := strconv.ParseFloat(s, 64); err == nil {
					decimals++
				}
			}
		}
		if strings.Count(s[:min(len(s), mostRead)], " ") >= 4 {
			t.worded += rows
		}
		t.add(examine(s), rows)
	}
	t.measures = 2*decimals > t.distinct
	return t
}

// Whole numbers below leastNumber are too short for anything here; from beyondDigits on, a float64 no longer holds every digit.
const (
	leastNumber  = 1e6
	beyondDigits = 1 << 53
)

// tallyNumbers sorts, which finds the distinct values faster than a set. Nobody numbers people with fractions: where there
// are any, and the name of the column says nothing, only numbers that could be identifiers are counted as distinct.
func tallyNumbers(c ScanColumn, drawn []int, named bool) *columnTally {
	t := newTally(false)
	// Equal numbers have equal bits, but for the two zeros, which the addition makes one; sorting bits is twice as fast.
	bits := make([]uint64, 0, len(c.Numbers))
	take := func(v float64) {
		if v == v {
			t.whole = t.whole && v == math.Trunc(v) && !math.IsInf(v, 0)
			bits = append(bits, math.Float64bits(v+0))
		}
	}
	if drawn == nil {
		for _, v := range c.Numbers {
			take(v)
		}
	} else {
		for _, i := range drawn {
			take(c.Numbers[i])
		}
	}
	t.rows = len(bits)
	if !t.whole && !named {
		bits = slices.DeleteFunc(bits, func(b uint64) bool { return !identifying(math.Float64frombits(b)) })
	}
	slices.Sort(bits)
	var digits numberTexts
	for i := 0; i < len(bits); {
		start := i
		for i < len(bits) && bits[i] == bits[start] {
			i++
		}
		t.distinct++
		if v := math.Float64frombits(bits[start]); identifying(v) {
			digits.add(int64(v), i-start, t)
		}
	}
	digits.flush(t)
	return t
}

func identifying(v float64) bool { return v >= leastNumber && v < beyondDigits && v == math.Trunc(v) }

// numberTexts writes many numbers into one text, since a text for each would cost more than looking at it.
type numberTexts struct {
	text []byte
	ends []int
	rows []int
}

func (n *numberTexts) add(v int64, rows int, t *columnTally) {
	n.text = strconv.AppendInt(append(n.text, '0'), v, 10)
	n.ends, n.rows = append(n.ends, len(n.text)), append(n.rows, rows)
	if len(n.ends) == 1000 {
		n.flush(t)
	}
}

func (n *numberTexts) flush(t *columnTally) {
	all, start := string(n.text), 0
	for i, end := range n.ends {
		t.add(examineNumber(all[start:end]), n.rows[i])
		start = end
	}
	n.text, n.ends, n.rows = n.text[:0], n.ends[:0], n.rows[:0]
}

// examineNumber gets the digits of a whole number with a zero in front, which some identifiers can have lost.
func examineNumber(padded string) marks {
	var m marks
	s := padded[1:]
	for _, k := range ofLength[len(s)] {
		if identifiers[k].digits {
			m.add(k, identifiers[k].fit(s))
		}
	}
	for _, k := range ofLength[len(padded)] {
		if identifiers[k].padded == len(padded) {
			m.add(k, identifiers[k].fit(padded))
		}
	}
	m.form(formPhoneDigits, len(s) >= 7 && len(s) <= 15)
	m.form(formSSNDigits, len(s) == 9 && ssn(s) == fitting || len(s) == 8 && ssn(padded) == fitting)
	m.form(formDate, isDate(s))
	return m
}

func scanColumn(c ScanColumn, drawn []int, o ScanOptions) []Finding {
	named, country := meaning(c.Name)
	var t *columnTally
	if c.Codes != nil || c.Numbers == nil {
		t = tallyText(c, drawn)
	} else {
		t = tallyNumbers(c, drawn, named != "")
	}
	if t.rows == 0 {
		return nil
	}
	j := &columnJudge{columnTally: t, o: o, column: c.Name, allowed: slices.Contains(o.Allow, c.Name), unread: slices.Contains(o.Unread, c.Name), named: named, country: country}
	for k := range identifiers {
		j.identifier(k)
	}
	j.forms()
	j.nameAlone()
	j.spread()
	slices.SortStableFunc(j.found, func(a, b Finding) int { return a.Certainty.rank() - b.Certainty.rank() })
	return j.found
}

// columnJudge turns the tally of a column into findings.
type columnJudge struct {
	*columnTally
	o       ScanOptions
	column  string
	allowed bool
	unread  bool
	named   PersonalKind // what the name of the column says
	country string
	found   []Finding
}

func (j *columnJudge) report(f Finding) {
	for i, other := range j.found {
		if other.Kind == f.Kind && other.Country == f.Country {
			if f.Certainty.rank() < other.Certainty.rank() {
				j.found[i] = j.completed(f)
			}
			return
		}
	}
	j.found = append(j.found, j.completed(f))
}

func (j *columnJudge) completed(f Finding) Finding {
	f.Column, f.Named, f.Allowed, f.Unread = j.column, f.Kind == j.named, j.allowed, j.unread
	f.Share = stats.Proportion(f.Rows, j.rows, j.o.Level, "no values")
	switch {
	case j.allowed, j.unread:
		f.Verdict = ScanPass
	case f.Certainty == Certain:
		f.Verdict = ScanFail
	default:
		f.Verdict = ScanInconclusive
	}
	return f
}

func (j *columnJudge) identifier(place int) {
	id := identifiers[place]
	n, m := j.shaped[place], j.fits[place]
	if m == 0 {
		return
	}
	most := float64(m) >= j.o.MatchShare*float64(n)
	above := func(tail float64) bool { return stats.BinomialLower(m, n, tail) > id.chance }
	f := Finding{
		Kind: id.kind, Country: id.country, Source: id.source, Chance: id.chance,
		Rows: j.matching[place], Candidates: n, Fitting: m,
	}
	named := j.named == id.kind && (j.country == "" || j.country == id.country)
	switch {
	case most && above(1e-6):
		f.Certainty, f.Rule = Certain, ruleChecked
	case float64(m) > 2*id.chance*float64(n) && above(1e-6):
		f.Certainty, f.Rule = Likely, ruleSomeChecked
	case most && above(1e-3):
		f.Certainty, f.Rule = Likely, ruleFewChecked
	case most && named:
		f.Certainty, f.Rule = Likely, ruleNamedChecked
	case most && above(0.02):
		f.Certainty, f.Rule = Possible, ruleHardlyAny
	default:
		return
	}
	j.report(f)
}

func (j *columnJudge) forms() {
	for _, form := range []struct {
		kind    PersonalKind
		country string
		source  string
		alone   bool // nothing else has the form
		named   bool // only in a column whose name says so
		forms   []int
	}{
		{Email, "", "RFC 5321, section 4.1.2", true, false, []int{formEmail}},
		{URLUser, "", "RFC 3986, section 3.2.1", true, false, []int{formURLUser}},
		{MACAddress, "", "IEEE 802-2014, section 8.1", true, false, []int{formMAC}},
		{IPAddress, "", "RFC 4291, section 2.2", true, false, []int{formIPv6}},
		{IPAddress, "", "RFC 1123, section 2.1", false, false, []int{formIPv4}},
		{Phone, "", "ITU-T E.123 and E.164", false, false, []int{formInternationalPhone, formNationalPhone}},
		{Phone, "", "ITU-T E.164", false, true, []int{formInternationalPhone, formNationalPhone, formPhoneDigits}},
		{NationalID, "US", "20 CFR part 422; SSA, Social Security number randomization (2011)", false, false, []int{formSSN}},
		{NationalID, "US", "20 CFR part 422; SSA, Social Security number randomization (2011)", false, true, []int{formSSN, formSSNDigits}},
		{Position, "", "ISO 6709", false, false, []int{formPosition}},
		{DateOfBirth, "", "ISO 8601-1", false, true, []int{formDate}},
	} {
		f := Finding{Kind: form.kind, Country: form.country, Source: form.source}
		for _, k := range form.forms {
			place := len(identifiers) + k
			f.Rows += j.matching[place]
			f.Candidates += j.shaped[place]
			f.Fitting += j.fits[place]
		}
		named := j.named == form.kind && (j.country == "" || j.country == form.country)
		share := float64(f.Rows) / float64(j.rows)
		mostFit := float64(f.Fitting) >= j.o.MatchShare*float64(f.Candidates)
		// An international sign in front of nearly all values is no accident.
		alone := form.alone || form.kind == Phone && float64(j.matching[len(identifiers)+formInternationalPhone]) >= j.o.MatchShare*float64(j.rows)
		several := f.Fitting >= 3
		switch {
		case f.Rows == 0 || !mostFit || form.named && !named:
			continue
		case alone && several:
			f.Certainty, f.Rule = Certain, ruleForm
		case alone:
			f.Certainty, f.Rule = Likely, ruleFewForms
		case named && several && share >= j.o.MatchShare:
			f.Certainty, f.Rule = Certain, ruleNamedForm
		case several && share >= 0.5:
			f.Certainty, f.Rule = Likely, ruleHalfForm
		default:
			f.Certainty, f.Rule = Possible, ruleSomeForm
		}
		j.report(f)
	}
}

// nameAlone reports what the name of a column says when its values have not.
func (j *columnJudge) nameAlone() {
	if j.named == "" || j.distinct <= fewDistinct && 2*j.distinct < j.rows {
		return
	}
	for _, f := range j.found {
		if f.Kind == j.named {
			return
		}
	}
	f := Finding{Kind: j.named, Country: j.country, Certainty: Possible, Rule: ruleNamed, Rows: j.rows, Candidates: j.distinct, Fitting: j.distinct}
	if j.text && j.rows >= fewRows && 2*j.distinct >= j.rows {
		f.Certainty, f.Rule = Likely, ruleNamedUnique
	}
	j.report(f)
}

// spread reports columns whose values single out rows, or are sentences, unless it is known what they are.
func (j *columnJudge) spread() {
	f := Finding{Certainty: Possible, Rows: j.rows, Candidates: j.distinct, Fitting: j.distinct}
	switch {
	case j.text && float64(j.bytes) >= j.o.TextLength*float64(j.rows) && 2*j.worded >= j.rows && (j.distinct > fewDistinct || 2*j.distinct >= j.rows):
		f.Kind, f.Rule = FreeText, ruleSentences
	case len(j.found) > 0 || j.rows < fewRows || float64(j.distinct) < j.o.UniqueShare*float64(j.rows):
		return
	case !j.text && !j.whole, j.measures, 20*j.matching[len(identifiers)+formDate] >= 19*j.rows:
		return
	default:
		f.Kind, f.Rule = Identifier, ruleUnique
	}
	j.report(f)
}
