package privacy

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNamesOfColumnsInSeveralLanguages(t *testing.T) {
	for name, want := range map[string]PersonalKind{
		"E-Mail": Email, "customer_email": Email, "CorreoElectrónico": Email, "IP_Address": IPAddress, "ipv4": IPAddress, "MACAddress": MACAddress,
		"IBAN": IBAN, "Card Number": PaymentCard, "ssn": NationalID, "DNI": NationalID, "codiceFiscale": NationalID, "Numéro de sécurité sociale": NationalID,
		"passport_no": NationalID, "身份证号码": "", "身份证": NationalID, "dateOfBirth": DateOfBirth, "Fecha de nacimiento": DateOfBirth, "födelsedatum": DateOfBirth,
		"Telefon": Phone, "home_phone": Phone, "mobile-number": Phone, "LastName": PersonName, "Prénom": PersonName, "nazwisko": PersonName, "name": PersonName,
		"street_address": PostalAddress, "address1": PostalAddress, "Straße": PostalAddress, "user_id": AccountName, "patientId": AccountName, "lat": "",
		"lat_lon": Position, "Фамилия": PersonName,

		"age": "", "sex": "", "race": "", "product_name": "", "liczba_dni": "", "peso_al_nacimiento": "", "phone_service": "", "contact": "", "housing": "",
		"education": "", "zip": "", "tip": "", "nir_band": "", "skip": "", "": "", "___": "",
	} {
		got, _ := meaning(name)
		require.Equal(t, want, got, name)
	}
	_, country := meaning("pesel")
	require.Equal(t, "PL", country)
	meaning(strings.Repeat("\xffä_", 100000))
}

// A phrase that is shadowed by an earlier one would never be found.
func TestEveryPhraseIsListedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range spokenNames {
		for phrase := range strings.SplitSeq(n.phrases, ",") {
			joined := strings.ReplaceAll(phrase, " ", "")
			require.False(t, seen[joined], phrase)
			seen[joined] = true
		}
	}
}
