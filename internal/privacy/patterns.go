package privacy

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// mostRead is how much of a value is looked at, in bytes, so that work per value is bounded.
const mostRead = 4096

// Forms that have no check digit. Their places in a tally follow those of the identifiers.
const (
	formEmail = iota
	formInternationalPhone
	formNationalPhone
	formSSN
	formIPv4
	formIPv6
	formMAC
	formURLUser
	formPosition
	// Forms that mean something only in a column whose name says so.
	formPhoneDigits
	formSSNDigits
	formDate
	forms
)

// places is the length of a tally: identifiers first, then forms.
var places = len(identifiers) + forms

// marks has a bit per place: which shapes a value has and which checks it passes.
type marks struct{ shaped, fits uint64 }

// add notes the result of a check. The first value of a shape in a text decides, so that a long text does not get more
// chances to pass than a short one.
func (m *marks) add(place int, f fit) {
	bit := uint64(1) << place
	if f == noFit || m.shaped&bit != 0 {
		return
	}
	m.shaped |= bit
	if f == fitting {
		m.fits |= bit
	}
}

func (m *marks) form(form int, present bool) {
	if present {
		m.add(len(identifiers)+form, fitting)
	}
}

func isDigit(c byte) bool { return c-'0' <= 9 }

func isAlnum(c byte) bool { return isDigit(c) || (c|0x20)-'a' < 26 || c >= 0x80 }

// examine says which forms and identifiers a text is or holds.
func examine(s string) marks {
	var m marks
	s = strings.TrimSpace(s[:min(len(s), mostRead)])
	digits, colons, at, breaks := 0, 0, false, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case isDigit(c):
			digits++
		case c == ':':
			colons++
		case c == '@':
			at = true
		case !isAlnum(c) && c != '-' && c != '.':
			breaks = true
		}
	}
	if at {
		m.form(formEmail, holdsEmail(s))
		m.form(formURLUser, holdsURLUser(s))
	}
	if digits < 4 && colons < 2 {
		return m
	}
	examineOne(s, &m)
	m.form(formPosition, breaks && isPosition(s))
	m.form(formDate, isDate(s))
	// What is one value as a whole is not taken apart.
	if (breaks || colons > 0) && m.shaped == 0 {
		examineParts(s, &m)
	}
	return m
}

// examineOne takes a text as one value.
func examineOne(s string, m *marks) {
	examineAddress(s, m)
	var buffer [40]byte
	compact := compacted(s, &buffer)
	if len(compact) >= 9 && len(compact) < len(ofLength) {
		for _, k := range ofLength[len(compact)] {
			m.add(k, identifiers[k].fit(compact))
		}
	}
	examinePhone(s, m)
	if allDigits(s) {
		m.form(formPhoneDigits, len(s) >= 7 && len(s) <= 15)
		m.form(formSSNDigits, len(s) == 9 && ssn(s) == fitting)
	}
}

// compacted is a value in upper case without the separators that people put into numbers; empty where it holds anything
// else.
func compacted(s string, buffer *[40]byte) string {
	n, same := 0, true
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case isDigit(c) || isUpper(c):
		case c-'a' < 26:
			c -= 'a' - 'A'
			same = false
		case i > 0 && (c == ' ' || c == '-' || c == '.' || c == '/'):
			same = false
			continue
		default:
			return ""
		}
		if n == len(buffer) {
			return ""
		}
		buffer[n] = c
		n++
	}
	if same {
		return s
	}
	return string(buffer[:n])
}

// examineParts looks at the words of a longer text, at runs of digits with separators, and at spaced account numbers.
func examineParts(s string, m *marks) {
	account, after := 0, 0 // where the first spaced account number begins and ends
	for start := 0; start < len(s); {
		end, telling := start, 0
		for end < len(s) && !between[s[end]] {
			if isDigit(s[end]) || s[end] == ':' {
				telling++
			}
			end++
		}
		if telling >= 2 && end-start >= 4 {
			if telling >= 4 {
				examineOne(strings.TrimRight(s[start:end], ".:!?"), m)
			}
			f, length := spacedIBAN(s[start:])
			m.add(placeOfIBAN, f)
			if f == fitting && after == 0 {
				account, after = start, start+length
			}
		}
		start = end + 1
	}
	for i := 0; i < len(s); i++ {
		if i >= account && i < after {
			continue
		}
		if c := s[i]; !isDigit(c) && c != '+' && c != '(' || i > 0 && isAlnum(s[i-1]) {
			continue
		}
		end, digits := i, 0
		for j := i; j < len(s) && j < i+40; j++ {
			if isDigit(s[j]) {
				digits++
				end = j + 1
			} else if strings.IndexByte(" -./()+", s[j]) < 0 {
				break
			}
		}
		if digits >= 8 && (end == len(s) || !isAlnum(s[end])) {
			examineOne(s[i:end], m)
		}
		i = max(i, end-1)
	}
}

var placeOfIBAN = slices.IndexFunc(identifiers, func(id identifier) bool { return id.kind == IBAN })

// between marks the characters that part the words of a text.
var between = func() (set [256]bool) {
	for _, c := range " \t\r\n<>\"'(),;=|[]{}" {
		set[c] = true
	}
	return set
}()

// spacedIBAN reads an account number at the start of a text, in groups as on paper, and says how many bytes it takes.
func spacedIBAN(s string) (fit, int) {
	if !allDigits(s[2:4]) {
		return noFit, 0
	}
	n := ibanLengths[strings.ToUpper(s[:2])]
	var number [34]byte
	got, end := 0, 0
	for ; end < len(s) && got < n; end++ {
		switch c := s[end]; {
		case isAlnum(c) && c < 0x80:
			number[got] = c
			got++
		case c != ' ':
			return noFit, 0
		}
	}
	if n == 0 || got < n || end < len(s) && isAlnum(s[end]) {
		return noFit, 0
	}
	return iban(strings.ToUpper(string(number[:n]))), end
}

func examineAddress(s string, m *marks) {
	switch dots, colons := strings.Count(s, "."), strings.Count(s, ":"); {
	case dots == 3 && colons == 0 && len(s) >= 7 && len(s) <= 15 && isDigit(s[0]):
		a, err := netip.ParseAddr(s)
		m.form(formIPv4, err == nil && a.Is4())
	case colons == 5 && len(s) == 17, dots == 0 && len(s) == 17 && s[2] == '-':
		m.form(formMAC, isMAC(s))
	case colons >= 2 && len(s) >= 3 && len(s) <= 45:
		a, err := netip.ParseAddr(s)
		m.form(formIPv6, err == nil && a.Is6() && a.Zone() == "")
	}
}

func isMAC(s string) bool {
	for i := range len(s) {
		if i%3 == 2 {
			if s[i] != s[2] {
				return false
			}
		} else if !isDigit(s[i]) && (s[i]|0x20)-'a' > 5 {
			return false
		}
	}
	return true
}

// examinePhone takes a text for a telephone number: international as in ITU-T E.123 and E.164, North American, or with the
// trunk prefix 0 of most other countries. Digits without any separator or sign are numbers like others.
func examinePhone(s string, m *marks) {
	if len(s) < 9 || len(s) > 30 {
		return
	}
	var groups [10]string
	n, digits, start, dots := 0, 0, -1, 0
	plus := s[0] == '+' || strings.HasPrefix(s, "(+")
	for i := 0; i <= len(s); i++ {
		if i < len(s) && isDigit(s[i]) {
			digits++
			if start < 0 {
				start = i
			}
			continue
		}
		if start >= 0 {
			if n == len(groups) {
				return
			}
			groups[n], start = s[start:i], -1
			n++
		}
		if i == len(s) {
			break
		}
		switch s[i] {
		case ' ', '-', '(', ')', '/':
		case '.':
			dots++
		case '+':
			if i > 1 || !plus {
				return
			}
		default:
			return
		}
	}
	switch {
	case n == 0:
	case plus:
		m.form(formInternationalPhone, digits >= 8 && digits <= 15 && groups[0][0] != '0' && (groups[0][0] != '1' || digits == 11) && (n > 2 || dots == 0))
	case n == 3 && len(groups[0]) == 3 && len(groups[1]) == 3 && len(groups[2]) == 4:
		m.form(formNationalPhone, groups[0][0] >= '2' && groups[1][0] >= '2')
	case n == 4 && groups[0] == "1" && len(groups[1]) == 3 && len(groups[2]) == 3 && len(groups[3]) == 4:
		m.form(formNationalPhone, groups[1][0] >= '2' && groups[2][0] >= '2')
	case n == 3 && len(groups[0]) == 3 && len(groups[1]) == 2 && len(groups[2]) == 4 && (s[3] == '-' || s[3] == ' ') && s[3] == s[6]:
		m.add(len(identifiers)+formSSN, ssn(groups[0]+groups[1]+groups[2]))
	case n >= 2 && groups[0][0] == '0' && !strings.HasPrefix(groups[0], "00") && len(groups[0]) >= 2 && digits >= 9 && digits <= 12 && (dots == 0 || n > 2):
		m.form(formNationalPhone, true)
	}
}

// ssn checks the ranges that the Social Security Administration has issued since 25 June 2011 (20 CFR part 422; SSA,
// Social Security number randomization): no check digit exists.
func ssn(s string) fit {
	area := s[:3]
	return checked(area != "000" && area != "666" && area[0] != '9' && s[3:5] != "00" && s[5:] != "0000")
}

// holdsEmail looks for an address as RFC 5321, section 4.1.2, writes it without quotes, at a host with a top-level domain.
func holdsEmail(s string) bool {
	for i := strings.IndexByte(s, '@'); i >= 0; {
		start, end := i, i+1
		for start > 0 && (isAlnum(s[start-1]) || strings.IndexByte(".!#$%&'*+-_~^`?", s[start-1]) >= 0) {
			start--
		}
		for end < len(s) && (isAlnum(s[end]) || s[end] == '.' || s[end] == '-') {
			end++
		}
		local, host := s[start:i], strings.TrimRight(s[i+1:end], ".-")
		dot := strings.LastIndexByte(host, '.')
		// A password in front of a host looks the same: user:password@host.
		named := start == 0 || s[start-1] != ':' && s[start-1] != '/' || strings.HasSuffix(s[:start], "mailto:")
		if named && len(local) >= 1 && len(local) <= 64 && local[0] != '.' && dot > 0 && len(host)-dot > 2 && len(host) <= 253 &&
			!isDigit(host[dot+1]) && host[0] != '.' && !strings.Contains(host, "..") {
			return true
		}
		next := strings.IndexByte(s[i+1:], '@')
		if next < 0 {
			return false
		}
		i += 1 + next
	}
	return false
}

// holdsURLUser looks for the user information of RFC 3986, section 3.2.1.
func holdsURLUser(s string) bool {
	for {
		_, rest, found := strings.Cut(s, "://")
		if !found {
			return false
		}
		end := strings.IndexAny(rest, "/?# \t\r\n\"'<>")
		if end < 0 {
			end = len(rest)
		}
		if strings.IndexByte(rest[:end], '@') > 0 {
			return true
		}
		s = rest
	}
}

// isPosition reports whether a text is latitude and longitude, in degrees with three decimals or more: closer than 111 m.
func isPosition(s string) bool {
	if len(s) > 60 {
		return false
	}
	s = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(s, "POINT"), " "), ")")
	s = strings.TrimPrefix(s, "(")
	first, second, found := strings.Cut(s, ",")
	if !found {
		first, second, found = strings.Cut(s, " ")
	}
	if !found {
		return false
	}
	a, fine := degrees(strings.TrimSpace(first))
	b, alsoFine := degrees(strings.TrimSpace(second))
	return fine && alsoFine && (a <= 90 && b <= 180 || a <= 180 && b <= 90)
}

func degrees(s string) (float64, bool) {
	dot := strings.IndexByte(s, '.')
	if dot < 1 || len(s)-dot < 4 || !allDigits(s[dot+1:]) {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return max(v, -v), err == nil
}

// isDate reports whether a text begins with a day: 2001-12-31, 31/12/2001, 12/31/2001 or 20011231, and any time after it.
func isDate(s string) bool {
	if len(s) == 8 && allDigits(s) {
		return whole(s[:2]) >= 18 && whole(s[:2]) <= 20 && day(whole(s[4:6]), whole(s[6:]))
	}
	if len(s) < 10 || len(s) > 35 || len(s) > 10 && s[10] != ' ' && s[10] != 'T' {
		return false
	}
	if s[4] == s[7] && !isAlnum(s[4]) && allDigits(s[:4]) && allDigits(s[5:7]) && allDigits(s[8:10]) {
		return day(whole(s[5:7]), whole(s[8:10]))
	}
	if s[2] != s[5] || isAlnum(s[2]) || !allDigits(s[:2]) || !allDigits(s[3:5]) || !allDigits(s[6:10]) {
		return false
	}
	a, b := whole(s[:2]), whole(s[3:5])
	return day(a, b) || day(b, a)
}
