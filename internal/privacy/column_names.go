package privacy

import (
	"strings"
	"unicode"
)

// spokenName is a way to name a column: its words in a row, in lower case without accents.
type spokenName struct {
	kind    PersonalKind
	country string
	alone   bool // only as the whole name: "name" says little in "product name", and "dni" are days in Polish
	phrases string
}

// spokenNames is read from the top, and the first phrase found decides: "ip address" is no postal address.
var spokenNames = []spokenName{
	{Email, "", false, "email,mail address,correo,correo electronico,courriel,adresse mail,posta elettronica,e post,邮箱,电子邮件,メール,почта"},
	{IPAddress, "", false, "ip,ip address,ip addr,ipv4,ipv6,ip adresse,adresse ip,direccion ip"},
	{MACAddress, "", false, "mac address,mac addr"},
	{IBAN, "", false, "iban"},
	{PaymentCard, "", false, "card number,card no,credit card number,cc number,creditcard,kartennummer,kreditkartennummer,numero de carte,numero tarjeta,numero de tarjeta,pan number"},
	{NationalID, "US", false, "ssn,social security number"},
	{NationalID, "GB", false, "nino,national insurance number,ni number"},
	{NationalID, "ES", true, "dni,nie,dni nie"},
	{NationalID, "ES", false, "numero de identidad"},
	{NationalID, "FR", true, "nir"},
	{NationalID, "FR", false, "numero de securite sociale,securite sociale"},
	{NationalID, "IT", false, "codice fiscale"},
	{NationalID, "NL", false, "bsn,burgerservicenummer"},
	{NationalID, "BE", false, "rijksregisternummer,numero national,registre national"},
	{NationalID, "DE", false, "steuer id,steueridentifikationsnummer,steuernummer,idnr"},
	{NationalID, "PL", false, "pesel"},
	{NationalID, "SE", false, "personnummer,samordningsnummer"},
	{NationalID, "NO", false, "fodselsnummer"},
	{NationalID, "FI", false, "henkilotunnus,hetu"},
	{NationalID, "BR", false, "cpf"},
	{NationalID, "IN", false, "aadhaar,aadhar"},
	{NationalID, "CA", false, "social insurance number"},
	{NationalID, "CH", false, "ahv,ahv nummer"},
	{NationalID, "CN", false, "身份证"},
	{HealthNumber, "GB", false, "nhs number,nhs no"},
	{NationalID, "", false, "national id,national identifier,personal number,personal id,passport,passport number,reisepass,pasaporte,passeport,паспорт,identity number,identity card,tax id,tax number,driving licence,driver license,drivers license,driver licence,fuhrerschein"},
	{DateOfBirth, "", false, "dob,date of birth,birth date,birth day,born on,geburtsdatum,geburtstag,date de naissance,fecha de nacimiento,fecha nacimiento,data di nascita,data de nascimento,geboortedatum,fodelsedatum,fodselsdato,data urodzenia,生日,出生日期,生年月日,дата рождения"},
	{DateOfBirth, "", true, "birth,naissance,nacimiento,nascita,nascimento"},
	{Phone, "", false, "phone number,telephone number,mobile number,cell number,phone no,telefonnummer,handynummer,numero de telephone,numero de telefono,telefoonnummer,电话,手机,電話,телефон"},
	{Phone, "", true, "phone,telephone,mobile,cell,cellphone,tel,fax,telefon,handy,telefono,telefone,celular,movil,telefoon,portable,home phone,work phone,mobile phone,customer phone,contact phone"},
	{PersonName, "", false, "first name,last name,middle name,full name,family name,given name,maiden name,surname,forename,vorname,nachname,familienname,prenom,nom de famille,apellido,apellidos,cognome,sobrenome,achternaam,voornaam,efternamn,fornamn,etternavn,fornavn,efternavn,nazwisko,imie,customer name,patient name,client name,employee name,person name,student name,姓名,氏名,фамилия,имя"},
	{PersonName, "", true, "name,nom,nome,nombre,naam,namn,navn"},
	{AccountName, "", false, "user name,user id,login,customer id,client id,patient id,person id,employee id,member id,subject id,account number,account no,account id,kundennummer,benutzername,nom d utilisateur,numero de cliente,id cliente,kontonummer,medical record number,mrn"},
	{PostalAddress, "", false, "street,street address,home address,postal address,mailing address,billing address,shipping address,address line,strasse,anschrift,hausnummer,rue,calle,direccion,domicilio,indirizzo,endereco,woonadres,ulica,地址,住所,адрес"},
	{PostalAddress, "", true, "address,adresse,adres,adress,addr,address 1,address 2,customer address"},
	{Position, "", true, "gps,gps position,gps coordinates,coordinates,latlon,lat lng,latitude,longitude"},
}

// spoken maps a phrase without spaces to its entry, so that "firstName", "first_name" and "firstname" are the same.
var spoken = func() map[string]int {
	phrases := map[string]int{}
	for k, n := range spokenNames {
		for phrase := range strings.SplitSeq(n.phrases, ",") {
			phrase = strings.ReplaceAll(phrase, " ", "")
			if _, taken := phrases[phrase]; !taken {
				phrases[phrase] = k
			}
		}
	}
	return phrases
}()

const mostWords = 6 // of a column's name that make one phrase

// meaning is what the name of a column says that it holds; empty where it says nothing.
func meaning(column string) (PersonalKind, string) {
	words := nameWords(column)
	best := len(spokenNames)
	for i := range words {
		phrase := ""
		for k := i; k < min(len(words), i+mostWords); k++ {
			phrase += words[k]
			entry, ok := spoken[phrase]
			if !ok || spokenNames[entry].alone && (i > 0 || k+1 < len(words)) {
				continue
			}
			best = min(best, entry)
		}
	}
	if best == len(spokenNames) {
		return "", ""
	}
	return spokenNames[best].kind, spokenNames[best].country
}

var withoutAccent = strings.NewReplacer("á", "a", "à", "a", "â", "a", "ä", "a", "ã", "a", "å", "a", "ą", "a", "ç", "c", "ć", "c",
	"é", "e", "è", "e", "ê", "e", "ë", "e", "ę", "e", "í", "i", "ì", "i", "î", "i", "ï", "i", "ł", "l", "ñ", "n", "ń", "n",
	"ó", "o", "ò", "o", "ô", "o", "ö", "o", "õ", "o", "ø", "o", "ś", "s", "ß", "ss", "ú", "u", "ù", "u", "û", "u", "ü", "u",
	"ý", "y", "ź", "z", "ż", "z")

// nameWords splits a name at everything that is no letter, where small letters turn to capitals, and between letters and
// digits. Only the first 200 bytes are read: no one speaks a longer name.
func nameWords(column string) []string {
	var words []string
	var word []rune
	end := func() {
		if len(word) > 0 {
			words = append(words, withoutAccent.Replace(strings.ToLower(string(word))))
			word = word[:0]
		}
	}
	last := ' '
	for _, r := range column[:min(len(column), 200)] {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			end()
			last = ' '
			continue
		case unicode.IsUpper(r) && unicode.IsLower(last), unicode.IsDigit(r) != unicode.IsDigit(last) && last != ' ' && string(word) != "ipv":
			end()
		}
		word = append(word, r)
		last = r
	}
	end()
	return words
}
