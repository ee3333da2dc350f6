package intake

import (
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/net/idna"
	unicodenorm "golang.org/x/text/unicode/norm"
)

// NormaliseEmail gives the form of an address under which people are matched:
// trimmed, lower case, the domain in ASCII. Tags behind a plus stay, so a
// tagged address is another person until somebody says otherwise. False if it
// is no address that mail could reach.
func NormaliseEmail(typed string) (string, bool) {
	s := strings.TrimSpace(typed)
	if len(s) > 7 && strings.EqualFold(s[:7], "mailto:") {
		s = s[7:]
	}
	if s == "" || len(s) > 320 || strings.IndexFunc(s, unicode.IsControl) >= 0 {
		return "", false
	}
	a, err := mail.ParseAddress(s)
	if err != nil {
		return "", false
	}
	at := strings.LastIndexByte(a.Address, '@')
	if at < 1 || at > 64*utf8.UTFMax {
		return "", false
	}
	local := strings.ToLower(nfc(a.Address[:at]))
	domain, err := idna.Lookup.ToASCII(strings.TrimSuffix(a.Address[at+1:], "."))
	if err != nil || len(domain) > 253 || !strings.Contains(domain, ".") || strings.IndexFunc(local, unicode.IsSpace) >= 0 {
		return "", false
	}
	return local + "@" + strings.ToLower(domain), true
}

// NormalisePhone gives the E.164 form of a number and the country it belongs
// to. A national number needs the country it was typed in; without one only
// international spellings are understood.
func NormalisePhone(typed, region string) (e164, country string, ok bool) {
	s := strings.TrimSpace(typed)
	if s == "" || len(s) > 64 {
		return "", "", false
	}
	if region == "" {
		region = "ZZ"
	}
	number, err := phonenumbers.Parse(s, region)
	if err != nil || !phonenumbers.IsPossibleNumber(number) {
		return "", "", false
	}
	country = phonenumbers.GetRegionCodeForNumber(number)
	if len(country) != 2 || country == "ZZ" {
		country = ""
	}
	// A handful of digits is an extension or a typing mistake, and would make one
	// person of strangers.
	if e164 = phonenumbers.Format(number, phonenumbers.E164); len(e164) < 8 {
		return "", "", false
	}
	return e164, country, true
}

func nfc(s string) string { return unicodenorm.NFC.String(s) }

// fold takes the accents off a text and lowers its case.
func fold(s string) string {
	ascii := true
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		return strings.ToLower(s)
	}
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range unicodenorm.NFKD.String(s) {
		switch {
		case r == 'ß' || r == 'ẞ':
			b.WriteString("ss")
		case r == 'ø' || r == 'Ø':
			b.WriteByte('o')
		case r == 'ł' || r == 'Ł':
			b.WriteByte('l')
		case unicode.Is(unicode.Mn, r):
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}
