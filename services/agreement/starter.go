package agreement

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	_ "embed" // The starter document.
	"encoding/base64"
	"strconv"
	"strings"
	"text/template"
)

// StarterParams fill the places of the starter agreement.
type StarterParams struct {
	// MarketingKey and SalesKey sign for the parties. Without them the document
	// says where they belong, and Compile points there.
	MarketingKey, SalesKey ed25519.PublicKey
	// Zone is the time zone of the working calendar; empty = UTC.
	Zone string
	// Members are the handles of the people who get leads; empty = ana, ben,
	// chloe, dan. The last two take the large companies; the first manages the
	// pool that takes everything else.
	Members []string
	// Arbiter is the handle of who decides disputes; empty = director.
	Arbiter string
}

//go:embed starter.yaml.tmpl
var starterText string

var starterTemplate = template.Must(template.New("starter").Parse(starterText))

// Starter is an agreement to begin with: complete, with comments, ready to be
// edited.
func Starter(p StarterParams) []byte {
	members := p.Members
	if len(members) == 0 {
		members = []string{"ana", "ben", "chloe", "dan"}
	}
	zone := p.Zone
	if zone == "" {
		zone = "UTC"
	}
	arbiter := cmp.Or(p.Arbiter, "director")
	large := members[max(len(members)-2, 0):]
	everything := members[:max(len(members)-1, 1)]
	quoted := func(list []string) []string {
		out := make([]string, len(list))
		for i, text := range list {
			out[i] = scalarText(text)
		}
		return out
	}
	var out bytes.Buffer
	// A bytes.Buffer takes everything, and the template is tried by a test.
	if err := starterTemplate.Execute(&out, map[string]any{
		"MarketingKey": keyText(p.MarketingKey),
		"SalesKey":     keyText(p.SalesKey),
		"Zone":         scalarText(zone),
		"Inside":       quoted(everything),
		"Large":        quoted(large),
		"Manager":      scalarText(members[0]),
		"Arbiter":      scalarText(arbiter),
		"LargeManager": scalarText(large[len(large)-1]),
	}); err != nil {
		panic("the starter agreement cannot be written: " + err.Error())
	}
	return out.Bytes()
}

func keyText(key ed25519.PublicKey) string {
	if len(key) != ed25519.PublicKeySize {
		return "ed25519:PUT-THE-PUBLIC-KEY-HERE"
	}
	return "ed25519:" + base64.StdEncoding.EncodeToString(key)
}

// scalarText writes text as YAML, in quotes where it could be read as something
// else.
func scalarText(text string) string {
	if text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/_") == "" && text != "true" && text != "false" && text != "null" {
		return text
	}
	return strconv.Quote(text)
}
