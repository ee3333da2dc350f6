package delivery

import (
	"crypto/hmac"
	"encoding/base64"
	"net/url"
	"strings"
)

// Links make the addresses that stand in messages.
type Links struct {
	Keys Keys
	// PublicURL is the public door as members reach it; empty = answers by link are not
	// possible. ConsoleURL is where the pages are; empty = not known.
	PublicURL, ConsoleURL string
}

// answerPath is where the pages of offers stand on the public door.
const answerPath = "/o/"

// Page is where a lead is shown to whoever is signed in.
func (l Links) Page(leadID string) string {
	if l.ConsoleURL == "" {
		return ""
	}
	return strings.TrimSuffix(l.ConsoleURL, "/") + "/leads/" + url.PathEscape(leadID)
}

// Answer is the address at which the one who gets a notice takes or declines the offer
// that it is about. Whoever has the address can: it goes to one person, ends with the
// offer, and nobody can make another one without our key.
func (l Links) Answer(noticeID string) string {
	if l.PublicURL == "" {
		return ""
	}
	return strings.TrimSuffix(l.PublicURL, "/") + answerPath + l.token(noticeID)
}

const macBytes = 16

func (l Links) mac(noticeID string) []byte {
	return l.Keys.MAC("offer link", []byte(noticeID))[:macBytes]
}

func (l Links) token(noticeID string) string {
	return noticeID + "." + base64.RawURLEncoding.EncodeToString(l.mac(noticeID))
}

// noticeOfToken answers the notice that a link was made for; false = we did not make it.
func (l Links) noticeOfToken(token string) (string, bool) {
	id, sealed, ok := strings.Cut(token, ".")
	if !ok || len(id) > 64 || leadOf(id) == "" {
		return "", false
	}
	given, err := base64.RawURLEncoding.DecodeString(sealed)
	return id, err == nil && hmac.Equal(given, l.mac(id))
}
