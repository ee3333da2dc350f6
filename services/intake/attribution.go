package intake

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// clickIDs are the ids that advertisers put behind the addresses of their
// clicks, by the name that says whose. The id is personal; its kind is not.
var clickIDs = map[string]string{
	"gclid": "gclid", "gclid1": "gclid", "gbraid": "gbraid", "wbraid": "wbraid", "fbclid": "fbclid", "lifatid": "li_fat_id",
	"msclkid": "msclkid", "ttclid": "ttclid", "hutk": "hutk", "hubspotutk": "hutk",
}

// Lengths of what attribution records, in characters.
const (
	maxCampaign = 64
	maxAddress  = 128
)

// attribution finds the campaign, the page and what led to it. What the form
// sends itself comes before what the page's address says; the address stays
// among the answers.
func (m *mapper) attribution() {
	at := &leadv1.Attribution{}
	parts := []struct {
		to   *string
		name string
		from field
	}{
		{&at.Source, "utm_source", fieldUTMSource},
		{&at.Medium, "utm_medium", fieldUTMMedium},
		{&at.Campaign, "utm_campaign", fieldUTMCampaign},
		{&at.Term, "utm_term", fieldUTMTerm},
		{&at.Content, "utm_content", fieldUTMContent},
		{&at.Id, "utm_id", fieldUTMID},
	}
	for _, p := range parts {
		*p.to = campaignWord(m.use(p.from))
	}
	for i := range m.answers {
		if kind := clickIDs[m.answers[i].word]; kind != "" && at.Click == "" && m.answers[i].leaf.rank != rankForeign {
			at.Click = kind
		}
	}
	for _, a := range m.addresses() {
		u := pageOf(a.value)
		if u == nil {
			continue
		}
		switch {
		case a.field == fieldReferrer:
			if at.Referrer == "" {
				at.Referrer = cut(u.Host, maxAddress)
			}
		case at.Landing == "":
			at.Landing = landing(u)
		}
		f := newForm()
		if f.addPairs(u.RawQuery, "", false) != nil {
			continue
		}
		for _, p := range parts {
			if *p.to == "" {
				*p.to = campaignWord(firstText(f.root, p.name))
			}
		}
		for _, member := range f.root.members {
			if kind := clickIDs[norm(member.name)]; kind != "" && at.Click == "" {
				at.Click = kind
			}
		}
	}
	for _, f := range []field{fieldPage, fieldReferrer} {
		if i := m.first[f]; i >= 0 {
			m.found(f, &m.answers[i])
		}
	}
	if at.Source+at.Medium+at.Campaign+at.Term+at.Content+at.Id+at.Click+at.Landing+at.Referrer != "" {
		m.features.Attribution = at
	}
}

// addresses are the answers that say which page it was, the surest first: pages
// by their name, pages that only a campaign in their address gives away, and what
// came before the page.
func (m *mapper) addresses() []*answer {
	var pages, guessed, before []*answer
	for i := range m.answers {
		switch a := &m.answers[i]; {
		case a.field == fieldReferrer:
			before = append(before, a)
		case a.field == fieldPage && a.how == byValue:
			guessed = append(guessed, a)
		case a.field == fieldPage:
			pages = append(pages, a)
		}
	}
	return slices.Concat(pages, guessed, before)
}

// campaigned says whether a text is the address of a page that a campaign led to.
func campaigned(text string) bool {
	if !strings.Contains(text, "utm_") || strings.ContainsFunc(text, unicode.IsSpace) {
		return false
	}
	u := pageOf(text)
	return u != nil && (u.Scheme == "http" || u.Scheme == "https") && (u.Query().Has("utm_source") || u.Query().Has("utm_campaign"))
}

// inTheClear is an attribution in a sender's own words as the mapper would have
// found it: nothing personal, no query, of a click only whose it is.
func inTheClear(a *leadv1.Attribution) *leadv1.Attribution {
	if a == nil {
		return nil
	}
	a = proto.Clone(a).(*leadv1.Attribution)
	for _, word := range []*string{&a.Source, &a.Medium, &a.Campaign, &a.Term, &a.Content, &a.Id} {
		*word = campaignWord(*word)
	}
	a.Click = clickIDs[norm(a.GetClick())]
	page := func(text string) *url.URL {
		if text != "" && !strings.Contains(text, "//") {
			text = "//" + text
		}
		return pageOf(text)
	}
	landed, referrer := page(a.GetLanding()), page(a.GetReferrer())
	a.Landing, a.Referrer = "", ""
	if landed != nil {
		a.Landing = landing(landed)
	}
	if referrer != nil {
		a.Referrer = cut(referrer.Host, maxAddress)
	}
	return a
}

// pageOf reads the address of a page; nil = it is none.
func pageOf(text string) *url.URL {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Host == "" || looksPersonal(u.Host) || strings.IndexFunc(u.Host, unicode.IsControl) >= 0 {
		return nil
	}
	return u
}

// landing is the host and path of a page, and only the host where the path
// looks personal.
func landing(u *url.URL) string {
	if strings.IndexFunc(u.Path, unicode.IsControl) >= 0 || looksPersonal(u.Path) {
		return cut(u.Host, maxAddress)
	}
	return cut(u.Host+u.Path, maxAddress)
}

// campaignWord makes a campaign parameter fit to be read in the clear. What
// looks personal is dropped: an address, or a run of digits as long as a number.
func campaignWord(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s))
	if looksPersonal(s) {
		return ""
	}
	if utf8.RuneCountInString(s) > maxCampaign {
		s = strings.TrimSpace(string([]rune(s)[:maxCampaign]))
	}
	return s
}

// looksPersonal says whether a campaign parameter holds an address or a
// telephone number. Eight digits in a row are still a date.
func looksPersonal(s string) bool {
	run, total, number := 0, 0, s != "" && (s[0] == '+' || s[0] == '0')
	for _, r := range s {
		switch {
		case r == '@':
			return true
		case unicode.IsDigit(r):
			total++
			if run++; run > 8 {
				return true
			}
			continue
		case !strings.ContainsRune("+ -./()", r):
			number = false
		}
		run = 0
	}
	return number && total >= 7
}
