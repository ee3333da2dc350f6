// Package lead is the language of a lead that all services share: its ids, its
// state, and the fold of its events into that state. It is pure: nothing here
// waits, reads a clock or knows where events are kept.
package lead

import (
	"encoding/base32"
	"strings"
)

// Subject prefixes of LEDGER.
const (
	SubjectLead   = "lead."
	SubjectPerson = "person."
	SubjectPool   = "pool."
	SubjectOrg    = "org."
)

var alphabet = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ID makes an opaque id of 26 characters that is safe in a subject out of a
// digest of at least 16 bytes.
func ID(prefix string, digest []byte) string {
	return prefix + alphabet.EncodeToString(digest[:16])
}

// SubjectOf is the subject that holds all events of a lead.
func SubjectOf(leadID string) string { return SubjectLead + leadID }

// FromSubject answers the lead of a subject.
func FromSubject(subject string) (string, bool) {
	id, ok := strings.CutPrefix(subject, SubjectLead)
	return id, ok && id != ""
}

// Safe says whether a text may stand as one token of a subject: lower-case
// letters, digits and hyphens. Text from outside never becomes a subject
// unless this holds.
func Safe(token string) bool {
	if token == "" || len(token) > 64 {
		return false
	}
	for _, c := range []byte(token) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
