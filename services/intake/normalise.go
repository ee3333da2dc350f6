package intake

import (
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
	unicodenorm "golang.org/x/text/unicode/norm"
)

// maxLocal and maxDomain are the most bytes of an address before and after the
// "@" (RFC 5321).
const (
	maxLocal  = 64
	maxDomain = 253
)

// NormaliseEmail gives the address that was meant: lower case, the domain in
// ASCII. "mailto:" and a name before an address in angle brackets are taken
// off; quoted names, comments and addresses of machines are no addresses that
// forms ask for. A domain of one word is taken only where that word is a
// registry's own. False if it is no address that mail could reach.
//
// Tags behind a plus stay: they are part of the address. EmailKey leaves them
// out.
func NormaliseEmail(typed string) (string, bool) {
	s := strings.Trim(typed, " \t")
	if len(s) > 7 && strings.EqualFold(s[:7], "mailto:") {
		s = s[7:]
	}
	if s == "" || len(s) > 320 || strings.IndexFunc(s, unicode.IsControl) >= 0 {
		return "", false
	}
	if strings.HasSuffix(s, ">") {
		a, err := mail.ParseAddress(s)
		if err != nil {
			return "", false
		}
		s = a.Address
	}
	at := strings.LastIndexByte(s, '@')
	if at < 1 {
		return "", false
	}
	local := strings.ToLower(nfc(s[:at]))
	domain, ok := NormaliseDomain(s[at+1:])
	if !ok || !isDotAtom(local) {
		return "", false
	}
	if !strings.Contains(domain, ".") {
		if _, registry := publicsuffix.PublicSuffix(domain); !registry {
			return "", false
		}
	}
	return local + "@" + domain, true
}

// isDotAtom says whether a text is a plain local part: words of the letters
// that RFC 5322 and 6531 allow, parted by single dots.
func isDotAtom(local string) bool {
	if len(local) > maxLocal || !utf8.ValidString(local) {
		return false
	}
	for _, word := range strings.Split(local, ".") {
		if word == "" {
			return false
		}
		for _, r := range word {
			switch {
			case r >= utf8.RuneSelf:
				if !unicode.IsGraphic(r) || unicode.IsSpace(r) {
					return false
				}
			case 'a' <= r && r <= 'z', '0' <= r && r <= '9', strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r):
			default:
				return false
			}
		}
	}
	return true
}

// NormaliseDomain gives the ASCII form of a domain in lower case. False if it
// cannot be one.
func NormaliseDomain(typed string) (string, bool) {
	domain, err := idna.Lookup.ToASCII(typed)
	if err != nil || domain == "" || len(domain) > maxDomain {
		return "", false
	}
	for _, label := range strings.Split(domain, ".") {
		if label == "" || len(label) > 63 {
			return "", false
		}
	}
	return strings.ToLower(domain), true
}

// EmailKey is what two spellings of one mailbox share, for matching alone: no
// tag behind a plus, and at Google no dots. It takes what NormaliseEmail gives.
func EmailKey(email string) string {
	at := strings.LastIndexByte(email, '@')
	if at < 0 {
		return email
	}
	local, domain := email[:at], email[at+1:]
	if tag := strings.IndexByte(local, '+'); tag > 0 {
		local = local[:tag]
	}
	if domain == "googlemail.com" {
		domain = "gmail.com"
	}
	if domain == "gmail.com" {
		if bare := strings.ReplaceAll(local, ".", ""); bare != "" {
			local = bare
		}
	}
	return local + "@" + domain
}

// NormalisePhone gives the E.164 form of a number and the country it belongs
// to. A national number is read as one of the regions: the first in which it
// is a number that could have been given out, else the first in which it has a
// fitting length. Without a region only international spellings are understood.
func NormalisePhone(typed string, regions ...string) (e164, country string, ok bool) {
	s := strings.TrimSpace(typed)
	if s == "" || len(s) > 64 {
		return "", "", false
	}
	var number *phonenumbers.PhoneNumber
	for _, region := range append(regions, "ZZ") {
		if region == "" {
			continue
		}
		n, err := phonenumbers.Parse(s, region)
		if err != nil || !phonenumbers.IsPossibleNumber(n) {
			continue
		}
		if phonenumbers.IsValidNumber(n) {
			number = n
			break
		}
		if number == nil {
			number = n
		}
	}
	if number == nil {
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
