package privacy

import "strings"

// fit is how far a value meets the rules of an identifier.
type fit int

const (
	noFit   fit = iota // another shape: says nothing about the identifier
	misfit             // the shape of the identifier, and its check digit, prefix or range is wrong
	fitting            // shape and check agree
)

func checked(ok bool) fit {
	if ok {
		return fitting
	}
	return misfit
}

// identifier is a number that an authority gives to one person, account or card.
type identifier struct {
	kind    PersonalKind
	country string // ISO 3166 code; empty where the number is international
	source  string // the standard, law or notice that defines the check
	// chance is the probability that a random value of the shape meets the check: what the share of fitting values is
	// compared with.
	chance float64
	// lengths has bit n set where n characters, without separators, can be the identifier.
	lengths uint64
	digits  bool // made of digits alone, so that a numeric column can hold it
	// padded is the length to which a number is filled with zeros, since numeric columns lose those in front; 0 for none.
	padded int
	// fit gets the value in upper case, without separators, of one of the lengths.
	fit func(s string) fit
}

func lengths(n ...int) uint64 {
	var set uint64
	for _, l := range n {
		set |= 1 << l
	}
	return set
}

// identifiers is ordered by kind and country, which is the order of findings of equal certainty.
var identifiers = []identifier{
	{PaymentCard, "", "ISO/IEC 7812-1:2017, Annex B (Luhn); issuers' published prefixes and lengths", 1. / 10, lengths(13, 14, 15, 16, 17, 18, 19), true, 0, paymentCard},
	{IBAN, "", "ISO 13616-1:2020 (ISO 7064 MOD 97-10); lengths of the SWIFT IBAN registry", 1. / 97, 1<<35 - 1<<15, false, 0, iban},
	{NationalID, "BE", "Belgium, Royal Decree of 3 April 1984 on the identification number of the National Register", 2. / 97, lengths(11), true, 11, belgianNumber},
	{NationalID, "BR", "Brazil, Receita Federal: CPF, two check digits modulo 11", 1. / 100, lengths(11), true, 11, cpf},
	{NationalID, "CA", "Canada, Social Insurance Number: Luhn; first digit neither 0 nor 8", 1. / 10, lengths(9), true, 0, canadianSIN},
	{NationalID, "CH", "Switzerland, AHV number of 13 digits: prefix 756, check digit of GS1 EAN-13", 1. / 10, lengths(13), true, 0, ahvNumber},
	{NationalID, "CN", "GB 11643-1999 (ISO 7064 MOD 11-2)", 1. / 11, lengths(18), false, 0, chineseNumber},
	{NationalID, "DE", "Germany, section 139b AO and Steueridentifikationsnummerverordnung: ISO 7064 MOD 11,10", 1. / 10, lengths(11), true, 0, steuerID},
	{NationalID, "ES", "Spain, Royal Decree 1553/2005 (DNI) and Order INT/2058/2008 (NIE): remainder modulo 23", 1. / 26, lengths(9), false, 0, dni},
	{NationalID, "FI", "Finland, Government Decree 128/2010 on the population information system, section 2: remainder modulo 31", 1. / 31, lengths(10, 11), false, 0, finnishCode},
	{NationalID, "FR", "France, INSEE, NIR of 13 characters with key 97 - NIR mod 97 (decree 82-103 of 22 January 1982)", 1. / 97, lengths(15), false, 0, nir},
	{NationalID, "GB", "United Kingdom, HMRC manual NIM39110: National Insurance number prefixes and suffixes", 20. / 26 * 19 / 26 * 4 / 26, lengths(9), false, 0, nino},
	{NationalID, "IN", "India, UIDAI, Aadhaar: Verhoeff (1969), Error detecting decimal codes", 1. / 10, lengths(12), true, 0, aadhaar},
	{NationalID, "IT", "Italy, ministerial decree of 23 December 1976: codice fiscale", 1. / 26, lengths(16), false, 0, codiceFiscale},
	{NationalID, "NL", "Netherlands, RvIG, burgerservicenummer: eleven test", 1. / 11, lengths(9), true, 9, bsn},
	{NationalID, "NO", "Norway, Skatteetaten, fødselsnummer: two check digits modulo 11", 1. / 121, lengths(11), true, 11, norwegianNumber},
	{NationalID, "PL", "Poland, Act of 24 September 2010 on population registration, article 15: PESEL", 1. / 10, lengths(11), true, 11, pesel},
	{NationalID, "SE", "Sweden, Skatteverket SKV 704: personnummer and samordningsnummer, Luhn", 1. / 10, lengths(10, 12), true, 10, personnummer},
	{HealthNumber, "GB", "NHS Data Dictionary, NHS number: remainder modulo 11", 1. / 11, lengths(10), true, 0, nhsNumber},
}

// ofLength lists the identifiers that a value of so many characters could be.
var ofLength = func() (byLength [64][]int) {
	for k, id := range identifiers {
		for n := range byLength {
			if id.lengths>>n&1 == 1 {
				byLength[n] = append(byLength[n], k)
			}
		}
	}
	return byLength
}()

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i]-'0' > 9 {
			return false
		}
	}
	return s != ""
}

func isUpper(c byte) bool { return c-'A' < 26 }

// whole is the value of a few digits, at most 18, that have been checked to be digits.
func whole(s string) int {
	v := 0
	for i := 0; i < len(s); i++ {
		v = v*10 + int(s[i]-'0')
	}
	return v
}

// weighted sums digits by their weights.
func weighted(s string, weights ...int) int {
	sum := 0
	for i, w := range weights {
		sum += w * int(s[i]-'0')
	}
	return sum
}

// day reports whether there can be such a day in some year; the shortest way to refuse most numbers that hold no date.
func day(month, d int) bool {
	return month >= 1 && month <= 12 && d >= 1 && d <= [...]int{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month-1]
}

// luhn is the check of ISO/IEC 7812-1, Annex B: every second digit from the right doubled, its digits added.
func luhn(s string) bool {
	sum := 0
	for i := 0; i < len(s); i++ {
		d := int(s[len(s)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

func repeated(s string) bool { return strings.Count(s, s[:1]) == len(s) }

func paymentCard(s string) fit {
	if !allDigits(s) {
		return noFit
	}
	two, three, four, n := whole(s[:2]), whole(s[:3]), whole(s[:4]), len(s)
	var issued bool
	switch {
	case s[0] == '4':
		issued = n == 13 || n == 16 || n == 19
	case two >= 51 && two <= 55, four >= 2221 && four <= 2720:
		issued = n == 16
	case two == 34 || two == 37:
		issued = n == 15
	case two == 36 || two == 38 || two == 39 || three >= 300 && three <= 305:
		issued = n == 14
	case four == 6011, three >= 644 && three <= 649, two == 65, two == 62, four >= 3528 && four <= 3589:
		issued = n >= 16
	case four == 5018 || four == 5020 || four == 5038 || four == 5893 || four == 6304 || four >= 6759 && four <= 6763:
		issued = n >= 13
	}
	if !issued {
		return noFit
	}
	return checked(luhn(s))
}

// ibanLengths is the SWIFT IBAN registry: two letters of the country and the length of its account numbers.
var ibanLengths = func() map[string]int {
	lengths := map[string]int{}
	for n, countries := range map[int]string{
		15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK", 21: "CH HR LI LV",
		22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
		25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
		29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
	} {
		for _, country := range strings.Fields(countries) {
			lengths[country] = n
		}
	}
	return lengths
}()

func iban(s string) fit {
	if len(s) < 15 || !isUpper(s[0]) || !isUpper(s[1]) || !allDigits(s[2:4]) || ibanLengths[s[:2]] != len(s) {
		return noFit
	}
	rest := 0
	for i := range len(s) {
		// The country and the check digits are moved to the end.
		c := s[(i+4)%len(s)]
		switch {
		case c-'0' <= 9:
			rest = (rest*10 + int(c-'0')) % 97
		case isUpper(c):
			rest = (rest*100 + int(c-'A') + 10) % 97
		default:
			return noFit
		}
	}
	return checked(rest == 1)
}
