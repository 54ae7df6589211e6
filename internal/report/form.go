package report

import (
	"math"
	"strconv"
	"strings"

	"github.com/assay-ml/assay/internal/stats"
)

// form is how a metric's values are written.
type form int

const (
	asDecimal      form = iota // 0.905
	asPercent                  // 25.4 %
	asPoints                   // 3.1 points: a difference of two percentages
	asCount                    // 12
	asAmount                   // 12,346 or 0.3182: of any size, in a unit of its own
	asMilliseconds             // 12.3 ms
	asSeconds                  // 410 s
	asBytes                    // 1.2 MB
)

// unit is what stands behind a value.
func (f form) unit() string {
	switch f {
	case asPercent:
		return nbsp + "%"
	case asPoints:
		return nbsp + "points"
	case asMilliseconds:
		return nbsp + "ms"
	case asSeconds:
		return nbsp + "s"
	}
	return ""
}

// scale is what a value is multiplied by before it is written.
func (f form) scale() float64 {
	if f == asPercent || f == asPoints {
		return 100
	}
	return 1
}

func (f form) write(v float64) string { return f.precisely(v, 0) }

// precisely writes a value with so many digits more than usual.
func (f form) precisely(v float64, more int) string {
	switch {
	case f == asBytes && isFinite(v) && v >= 0 && v < 1<<62 && more == 0:
		return bytesOf(int64(v))
	case f == asPercent && more == 0:
		return percent(v)
	case f == asDecimal && more == 0:
		return decimal(v)
	case !isFinite(f.scale() * v):
		return notAvailable
	}
	return f.number(v, more) + f.unit()
}

// number is a finite value without its unit.
func (f form) number(v float64, more int) string {
	switch f {
	case asPercent, asPoints:
		return fixed(100*v, 1+more)
	case asDecimal:
		return fixed(v, 3+more)
	case asCount:
		return significant(v, 4+more)
	case asBytes:
		return significant(v, 15) + nbsp + "bytes"
	}
	if more > 0 {
		return significant(v, 4+more)
	}
	return measured(v)
}

// significant writes a finite value with so many digits that count.
func significant(v float64, digits int) string {
	return signed(strconv.FormatFloat(v, 'g', digits, 64))
}

// mostMore is the most digits more than usual: beyond them floating point numbers are noise.
const mostMore = 10

// apart is how many digits more than usual show that a value and the ends of its interval differ from a bound; without them
// 85.04 % would be written as the 85.0 % that it is compared with.
func (f form) apart(bound float64, e stats.Estimate) int {
	if !finite(e) || !isFinite(bound) {
		return 0
	}
	for more := range mostMore {
		texts := f.alike(more, e.Value, e.Low, e.High)
		if f.differ(texts[0], e.Value, bound) && f.differ(texts[1], e.Low, bound) && f.differ(texts[2], e.High, bound) {
			return more
		}
	}
	return mostMore
}

// differ reports whether a written value reads as another number than the bound, when it is another one.
func (f form) differ(written string, v, bound float64) bool {
	shown, err := strconv.ParseFloat(strings.NewReplacer("−", "-", ",", "").Replace(written), 64)
	const noise = 1e-12
	bound *= f.scale()
	return err != nil || v*f.scale() == bound || math.Abs(shown-bound) > noise*math.Max(math.Abs(shown), math.Abs(bound))
}

// alike writes values that stand beside each other; amounts get the places that show three
// digits that count of the largest.
func (f form) alike(more int, values ...float64) []string {
	largest := 0.0
	for _, v := range values {
		largest = math.Max(largest, math.Abs(v))
	}
	isAmount := f == asAmount || f == asMilliseconds || f == asSeconds
	texts := make([]string, len(values))
	for i, v := range values {
		if isAmount && largest >= 1e-4 && largest < 1e6 {
			texts[i] = grouped(v, max(2-int(math.Floor(math.Log10(largest))), 0)+more)
		} else {
			texts[i] = f.number(v, more)
		}
	}
	return texts
}

// grouped writes a finite number to the given places, with its thousands separated.
func grouped(v float64, places int) string {
	whole, fraction, _ := strings.Cut(strconv.FormatFloat(math.Abs(v), 'f', places, 64), ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return scientific(v, 3)
	}
	text := count(n)
	if fraction != "" {
		text += "." + fraction
	}
	if v < 0 {
		return signed("-" + text)
	}
	return text
}

// exactly writes a bound as the spec has it, never rounded to other digits than those written there.
func (f form) exactly(v float64) string {
	v *= f.scale()
	if !isFinite(v) {
		return notAvailable
	}
	if f == asBytes && v >= 0 && v < 1<<53 && v == math.Trunc(v) {
		return wholeBytes(int64(v))
	}
	const noise = 12 // digits that count before the multiplication's rounding shows
	v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', noise, 64), 64)
	if size := math.Abs(v); size >= 1e15 || size > 0 && size < 1e-6 {
		return scientific(v, noise-1) + f.unit()
	}
	text := grouped(v, -1)
	if f == asPoints && math.Abs(v) == 1 {
		return text + nbsp + "point"
	}
	return text + f.unit()
}

// wholeBytes is a size in the largest unit that keeps it exact.
func wholeBytes(n int64) string {
	for _, unit := range []struct {
		size int64
		name string
	}{{1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}} {
		if n >= unit.size && n%unit.size == 0 {
			return count(n/unit.size) + nbsp + unit.name
		}
	}
	return countOf(n, "byte", "bytes")
}

// interval writes both ends, the unit once, or why there is no value. Ends are limits, not claims, so they may be rounded
// to none or all.
func (f form) interval(e stats.Estimate) string { return f.intervalPrecisely(e, 0) }

func (f form) intervalPrecisely(e stats.Estimate, more int) string {
	switch {
	case !e.Defined():
		return e.Undefined
	case e.Method == stats.MethodExact:
		return ""
	case !finite(e):
		return notAvailable
	}
	texts := f.alike(more, e.Value, e.Low, e.High)
	return texts[1] + nbsp + "to" + nbsp + texts[2] + f.unit()
}

// figure writes the value; interval says why where there is none.
func (f form) figure(e stats.Estimate) string {
	if !e.Defined() {
		return "no value"
	}
	return f.estimated(e, 0)
}

// estimated writes an estimate's value in the digits of its interval.
func (f form) estimated(e stats.Estimate, more int) string {
	if !finite(e) || f != asAmount && f != asMilliseconds && f != asSeconds {
		return f.precisely(e.Value, more)
	}
	return f.alike(more, e.Value, e.Low, e.High)[0] + f.unit()
}

// change is the form of a difference of two values.
func (f form) change() form {
	if f == asPercent {
		return asPoints
	}
	return f
}

// signedFigure writes a difference with its sign, and with as many digits as tell it from none.
func (f form) signedFigure(e stats.Estimate) string {
	if !e.Defined() {
		return "no value"
	}
	if !finite(e) {
		return notAvailable
	}
	text := f.alike(f.apart(0, e), e.Value, e.Low, e.High)[0] + f.unit()
	if e.Value > 0 {
		return "+" + text
	}
	return text
}

func finite(e stats.Estimate) bool { return isFinite(e.Value) && isFinite(e.Low) && isFinite(e.High) }
