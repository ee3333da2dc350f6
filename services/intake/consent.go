package intake

import (
	"crypto/sha256"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// Purposes that are understood by themselves.
const (
	purposeProcessing = "processing"
	purposeContact    = "contact"
	purposeNewsletter = "newsletter"
	purposeMarketing  = "marketing"
	purposeTerms      = "terms"
	purposeSharing    = "sharing"
)

// consentWords are keys that ask for consent, and to what.
var consentWords = consentTable(map[string]string{
	purposeProcessing: "consent gdpr gdprconsent gdpragreement dsgvo privacy privacypolicy privacyconsent privacyaccepted privacyagreement acceptprivacy agreetoprivacypolicy dataconsent dataprocessing datenschutz datenschutzerklarung einwilligung einverstandnis zustimmung rgpd consentement consentimiento confidentialite privacidad agree",
	purposeTerms:      "terms termsandconditions termsofservice acceptterms agreetoterms agb",
	purposeNewsletter: "newsletter newsletteroptin newsletterconsent subscribe subscribenewsletter subscribetonewsletter",
	purposeMarketing:  "optin marketing marketingconsent marketingoptin emailoptin emailconsent acceptsmarketing",
	purposeContact:    "contactconsent consenttocontact okaytocontact contactok",
})

func consentTable(lists map[string]string) map[string]string {
	table := map[string]string{}
	for purpose, list := range lists { // any order: no word stands under two
		for word := range strings.FieldsSeq(list) {
			table[word] = purpose
		}
	}
	return table
}

// optOuts are boxes that say no when they are ticked, and nothing when not.
var optOuts = set("optout", "emailoptout", "unsubscribe", "marketingoptout", "nomarketing")

// consentShapes are the ways in which tools send consents apart from answers:
// the end of the path of the answer, and which members beside it hold the text
// and the name of the purpose.
var consentShapes = []struct{ path, text, name, purpose string }{
	{"legalConsentOptions.consent.consentToProcess", "text", "", purposeProcessing},
	{"consent.communications.value", "text", "subscriptionTypeId", "communication"},
	{"consentResponses.accepted", "text", "consentId", "consent"},
	{"custom_disclaimer_responses.is_checked", "text", "checkbox_key", "disclaimer"},
}

// sentTimes are keys of the moment when the person sent the form.
var sentTimes = set("submittedat", "submissiontime", "submittime", "submitteddate", "leadsubmittime", "answeredat")

// consents finds what the person agreed to, with its evidence: where it stood,
// when it was sent, and what the person saw, whose text is sealed with the
// answers. What is not asked or not answered is unknown and leaves no trace: it
// is never a yes.
func (m *mapper) consents(item Item) {
	var at *timestamppb.Timestamp
	for i := range m.answers {
		if !sentTimes[m.answers[i].word] {
			continue
		}
		if t, ok := instant(m.answers[i].value); ok {
			at = timestamppb.New(t)
			break
		}
	}
	taken := map[*Leaf]bool{}
	say := func(a *answer, purpose string, state leadv1.ConsentState, text *answer) {
		taken[a.leaf] = true
		c := &leadv1.Consent{Purpose: purpose, State: state, At: at, Path: cut(a.leaf.Path, maxPath)}
		seen := a.leaf.Label
		if text != nil {
			seen, text.used = text.value, true
		}
		for _, have := range m.features.GetConsents() {
			if have.GetPurpose() == purpose && have.GetState() == state {
				if text != nil {
					text.used = false
				}
				return // the same tick under another spelling of its key
			}
		}
		if seen != "" {
			sum := sha256.Sum256([]byte(seen))
			c.TextSha256 = sum[:]
			m.personal.Other = append(m.personal.Other, &leadv1.Answer{Key: "consent:" + purpose, Value: seen})
		}
		m.features.Consents = append(m.features.Consents, c)
	}
	if item.plan != nil {
		for _, c := range item.plan.consents {
			for i := range m.answers {
				a := &m.answers[i]
				if inside, ok := c.path.matches(a.leaf.Path); ok && inside == "" && !taken[a.leaf] {
					say(a, c.purpose, box(a.value), m.textBeside(a, c.text))
				}
			}
		}
	}
	for i := range m.answers {
		a := &m.answers[i]
		if taken[a.leaf] || a.leaf.rank == rankForeign || a.leaf.origin == fromText || a.leaf.claim != nil {
			continue
		}
		if purpose, text, ok := m.consentShape(a); ok {
			say(a, purpose, box(a.value), text)
			continue
		}
		switch purpose := consentWords[a.word]; {
		case optOuts[a.word]:
			if yes, ok := Flag(a.value); ok && yes {
				say(a, purposeMarketing, leadv1.ConsentState_CONSENT_STATE_REFUSED, nil)
			}
		case strings.HasPrefix(a.word, "acceptance"), norm(a.leaf.Type) == "legal":
			say(a, purposeProcessing, box(a.value), nil)
		case purpose == "":
			if purpose = purposeOf(a.leaf.Label); purpose == "" {
				purpose = purposeOf(a.leaf.Key)
			}
			if purpose == "" {
				purpose = purposeWithin(a.leaf.Key)
			}
			if _, ok := Flag(a.value); purpose != "" && (ok || agrees(a.value)) {
				say(a, purpose, box(a.value), nil)
			}
		default:
			if _, flag := Flag(a.value); flag || agrees(a.value) {
				say(a, purpose, box(a.value), nil)
			}
		}
	}
}

// box reads a ticked or unticked box. A box whose value is the text beside it
// is ticked, unless the text says no; then nobody knows.
func box(value string) leadv1.ConsentState {
	switch yes, ok := Flag(value); {
	case ok && yes:
		return leadv1.ConsentState_CONSENT_STATE_GIVEN
	case ok:
		return leadv1.ConsentState_CONSENT_STATE_REFUSED
	case declines(value):
		return leadv1.ConsentState_CONSENT_STATE_UNSPECIFIED
	}
	return leadv1.ConsentState_CONSENT_STATE_GIVEN
}

func words(s string) string {
	return " " + strings.Join(strings.FieldsFunc(spelled(cut(s, 4*MaxKey)), func(r rune) bool {
		return r < 0x80 && r != '\'' && !isWordByte(byte(r))
	}), " ") + " "
}

func declines(s string) bool {
	text := words(s)
	for _, no := range []string{" no ", " not ", "n't ", " nein ", " nicht ", " kein", " non ", " decline", " refuse", " disagree", " reject", " unknown ", " never ", " ablehn", " pas ", " refus", " rechaz"} {
		if strings.Contains(text, no) {
			return true
		}
	}
	return false
}

// agrees says whether a text is one that a ticked box stands for.
func agrees(s string) bool {
	if declines(s) {
		return false
	}
	text := words(s)
	for _, yes := range []string{" agree", " accept", " consent", " yes ", " ja ", " zustimm", " stimme ", " einverstanden", " akzeptier", " j'accepte", " oui ", " acepto ", " si ", " de acuerdo ", " d'accord "} {
		if strings.Contains(text, yes) {
			return true
		}
	}
	return false
}

// purposeOf is what a question asks consent to; empty = it asks for none.
func purposeOf(question string) string {
	if len(question) < 8 || !strings.Contains(question, " ") {
		return ""
	}
	text := words(question)
	for _, p := range []struct{ phrase, purpose string }{
		{" newsletter", purposeNewsletter},
		{" share your ", purposeSharing},
		{" product updates", purposeNewsletter},
		{" may we contact", purposeContact},
		{" d'etre contact", purposeContact},
		{" etre recontact", purposeContact},
		{" privacy policy", purposeProcessing},
		{" datenschutz", purposeProcessing},
		{" personal data", purposeProcessing},
		{" terms and conditions", purposeTerms},
		{" terms of service", purposeTerms},
		{" confidentialite", purposeProcessing},
		{" donnees personnelles", purposeProcessing},
		{" politica de privacidad", purposeProcessing},
		{" datos personales", purposeProcessing},
		{" i agree", purposeProcessing},
		{" i consent", purposeProcessing},
		{" i accept", purposeProcessing},
		{" ich stimme zu", purposeProcessing},
		{" ich willige ein", purposeProcessing},
		{" einverstanden", purposeProcessing},
		{" j'accepte", purposeProcessing},
		{" je consens", purposeProcessing},
		{" acepto ", purposeProcessing},
	} {
		if strings.Contains(text, p.phrase) {
			return p.purpose
		}
	}
	return ""
}

// purposeWithin is what a key of several words asks consent to, where one of them
// says so: "acceptation-rgpd"; empty = none does.
func purposeWithin(key string) string {
	if len(key) > maxPath {
		return ""
	}
	for word := range strings.FieldsSeq(words(strings.ReplaceAll(key, "'", " "))) {
		if purpose := consentWords[word]; purpose != "" && word != "agree" && word != "subscribe" && word != "terms" && word != "marketing" {
			return purpose
		}
	}
	return ""
}

func (m *mapper) consentShape(a *answer) (purpose string, text *answer, ok bool) {
	if !strings.Contains(a.leaf.Path, "onsent") && !strings.Contains(a.leaf.Path, "disclaimer") {
		return "", nil, false // none of the shapes; most answers end here
	}
	bare := bare(a.leaf.Path)
	for _, s := range consentShapes {
		if bare != s.path && !strings.HasSuffix(bare, "."+s.path) {
			continue
		}
		parent := parentOf(a.leaf)
		purpose = s.purpose
		for i := range m.answers {
			switch b := &m.answers[i]; b.leaf.Path {
			case parent + s.text:
				text = b
			case parent + s.name:
				if part := slug(b.value); s.name != "" && part != "" {
					purpose = cut(s.purpose+"-"+part, 64)
				}
			}
		}
		return purpose, text, true
	}
	return "", nil, false
}

// textBeside is the text at a path, of the same element of a list as the answer.
func (m *mapper) textBeside(a *answer, at spot) *answer {
	if at.text == "" {
		return nil
	}
	for i := range m.answers {
		b := &m.answers[i]
		if inside, ok := at.matches(b.leaf.Path); ok && inside == "" && places(b.leaf.Path) == places(a.leaf.Path) {
			return b
		}
	}
	return nil
}

// bare is a path without the places of lists.
func bare(at string) string {
	for _, place := range strings.SplitAfter(places(at), "]") {
		if place != "" {
			at = strings.Replace(at, place, "", 1)
		}
	}
	return at
}

// slug makes a word of a name.
func slug(s string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return '-'
	}, strings.ToLower(cut(s, 48))), "-")
}
