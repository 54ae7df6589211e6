package report

import (
	"math"
	"strconv"
	"strings"
)

// axis places values along one side of a picture. Its ends may lie as far apart as floating point numbers can.
type axis struct {
	Low, High float64 // Low <= High, both finite; above 0 when Log
	Log       bool    // equal distances are equal ratios
	Whole     bool    // every value is a whole number, so no tick is a fraction
	From, To  float64 // where Low and High are in the picture
}

// wideRatio is two decades: beyond it, equal distances would press most of the values together.
const wideRatio = 100

// axisOver covers the values that are finite; without any, it goes from 0 to 1.
func axisOver(values []float64) axis {
	a := axis{Low: math.Inf(1), High: math.Inf(-1), Whole: true}
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		a.Low, a.High = math.Min(a.Low, v), math.Max(a.High, v)
		a.Whole = a.Whole && v == math.Trunc(v)
	}
	if a.Low > a.High {
		return axis{High: 1}
	}
	return a
}

// spread is how many times the low end the high one is; 0 where that means nothing.
func (a axis) spread() float64 {
	if a.Low <= 0 {
		return 0
	}
	return a.High / a.Low
}

// place is where v is in the picture. Halves are compared, because the width of an axis can be more than a number holds.
func (a axis) place(v float64) float64 {
	share := 0.5
	switch {
	case a.Log && a.Low < a.High:
		share = (math.Log(v) - math.Log(a.Low)) / (math.Log(a.High) - math.Log(a.Low))
	case a.Low/2 < a.High/2:
		share = (v/2 - a.Low/2) / (a.High/2 - a.Low/2)
	}
	return a.From + (a.To-a.From)*clamp(share, 0, 1)
}

// tick is a value on an axis that is written out.
type tick struct {
	At   float64
	Text string
}

// mostSteps is the most distances between ticks: more do not fit beside each other on a phone.
const mostSteps = 5

// ticks are round values on the axis, none written like its neighbour.
func (a axis) ticks() []tick {
	if a.Low == a.High {
		return []tick{{a.Low, measured(a.Low)}}
	}
	if a.Log {
		return a.decades()
	}
	step := a.step()
	if step <= 0 || math.IsInf(step, 0) {
		return []tick{{a.Low, measured(a.Low)}}
	}
	var all []tick
	first := math.Ceil(a.Low / step)
	for i := range mostSteps + 1 {
		v := (first + float64(i)) * step
		if v > a.High {
			break
		}
		if text := stepped(v, step); len(all) == 0 || all[len(all)-1].Text != text {
			all = append(all, tick{v, text})
		}
	}
	return all
}

// step is the least of 1, 2 and 5 times a power of ten that goes at most mostSteps times into the axis.
func (a axis) step() float64 {
	half := (a.High/2 - a.Low/2) / mostSteps
	power := math.Pow(10, math.Floor(math.Log10(half)))
	step := 20 * power
	for _, m := range []float64{2, 5, 10} {
		if m*power >= 2*half {
			step = m * power
			break
		}
	}
	if a.Whole {
		step = math.Max(1, step)
	}
	return step
}

// decades are powers of ten.
func (a axis) decades() []tick {
	first, last := math.Ceil(math.Log10(a.Low)-1e-9), math.Floor(math.Log10(a.High)+1e-9)
	stride := math.Max(1, math.Ceil((last-first)/mostSteps))
	var all []tick
	for e := first; e <= last; e += stride {
		v := math.Pow(10, e)
		all = append(all, tick{v, measured(v)})
	}
	return all
}

// stepped writes a multiple of step with the digits that tell it from the next one.
func stepped(v, step float64) string {
	places := -int(math.Floor(math.Log10(step) + 1e-9))
	size := math.Abs(v)
	switch {
	case size < step/2:
		return "0"
	case size >= 1e6 || places > 5:
		digits := min(max(int(math.Floor(math.Log10(size)))+places, 0), 4)
		return scientific(v, digits)
	case places <= 0:
		return count(int64(math.Round(v)))
	}
	return fixed(v, places)
}

// measured writes a value of any size with about four digits that count.
func measured(v float64) string {
	size := math.Abs(v)
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return notAvailable
	case v == 0:
		return "0"
	case size >= 1e6 || size < 0.9999e-4:
		return scientific(v, 3)
	case size >= 1000:
		return count(int64(math.Round(v)))
	}
	return signed(strconv.FormatFloat(v, 'g', 4, 64))
}

// scientific writes 1.5e7 and −2e−9: no zeros that say nothing, and true minus signs.
func scientific(v float64, digits int) string {
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', digits, 64), "e")
	if strings.Contains(mantissa, ".") {
		mantissa = strings.TrimSuffix(strings.TrimRight(mantissa, "0"), ".")
	}
	sign := ""
	if exponent[0] == '-' {
		sign = "−"
	}
	return signed(mantissa) + "e" + sign + strings.TrimLeft(exponent[1:], "0") + lone(exponent)
}

// lone is the zero of an exponent that is nothing else.
func lone(exponent string) string {
	if strings.Trim(exponent, "+-0") == "" {
		return "0"
	}
	return ""
}
