package intake

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// Vocabulary is what the agreement in force says about the words of forms.
type Vocabulary interface {
	// Word finds the agreed word of a list ("industries", "roles", "products") that
	// a text stands for.
	Word(list, text string) (string, bool)
	// Answer finds the declared feature that an answer of a form gives.
	Answer(key, value string) (id string, v *leadv1.Value, ok bool)
}

// Lists of the vocabulary.
const (
	ListIndustry = "industries"
	ListRole     = "roles"
	ListProduct  = "products"
)

// Mapped is a submission in Baton's words and what was found out on the way.
type Mapped struct {
	Submission *intakev1.Submission
	// Email and Phone are normalised, for matching; empty = none that parses.
	Email, Phone string
	// Spam is the rule that marks it as spam, in words; empty = none does.
	Spam string
	// NeedsMapping is true where nothing was found to reach the person by.
	NeedsMapping bool
	// Notes say what was odd, without anything of the content.
	Notes []string
}

// Map puts one submission of a body into Baton's words. It looks for each
// field by the form's key first, then by the label the person saw, then by
// what the value is; answers come before what a body says about its form. What
// it does not know is kept under the form's own key. The rules may be nil while
// no agreement is in force: then nothing becomes an agreed word.
//
// It is pure: the same item, rules and source give the same outcome.
func Map(item Item, rules Vocabulary, src *intakev1.SourceDeclared) Mapped {
	m := mapper{
		rules:    rules,
		personal: &leadv1.PersonalData{},
		features: &leadv1.Features{},
		notes:    slices.Clone(item.Notes),
	}
	m.out.Submission = &intakev1.Submission{Personal: m.personal, Features: m.features}
	id, idLeaf := externalID(item)
	m.out.Submission.ExternalId = id
	m.sort(item, idLeaf, src)
	m.pick()
	m.identity()
	m.facts()
	m.attribution()
	m.rest()
	m.out.Notes = m.notes
	return m.out
}

// ExternalID is the sender's own id for a submission; empty if it names none.
func ExternalID(item Item) string {
	id, _ := externalID(item)
	return id
}

func externalID(item Item) (string, int) {
	best, at := len(externalIDs), -1
	for i := range item.Leaves {
		l := &item.Leaves[i]
		if l.rank == rankForeign || l.origin == fromQuery || l.origin == fromText {
			continue
		}
		word := norm(l.Key)
		name := slices.Index(externalIDs, word)
		if name < 0 || name >= best {
			continue
		}
		switch {
		case l.origin != fromJSON && !idInForms[word]:
			continue
		case word == "id" && !idPlaces[l.Path]:
			continue
		}
		if v := strings.TrimSpace(l.Value); v == "" || len(v) > MaxKey {
			continue
		}
		best, at = name, i
	}
	if at < 0 {
		return "", -1
	}
	return strings.TrimSpace(item.Leaves[at].Value), at
}

// Identity names one submission of a delivery: the key under which its sender
// names it, empty if nothing does, and the delivery that stands in where
// nothing does. An idempotency key names a request; the submissions of a
// request with several are numbered.
func Identity(f Fields, i int, idempotencyKey, deliveryID string) (key, delivery string) {
	suffix := ""
	if i > 0 {
		suffix = "#" + strconv.Itoa(i)
	}
	if key = ExternalID(f.Items[i]); key == "" && idempotencyKey != "" {
		key = idempotencyKey + suffix
	}
	return key, deliveryID + suffix
}

// Canonical is an unambiguous spelling of the answers, for telling equal bodies:
// the same answers give the same bytes, whatever their order or encoding. It is
// empty where there are none.
func (item Item) Canonical() []byte {
	pairs := make([]string, 0, len(item.Leaves))
	for i := range item.Leaves {
		l := &item.Leaves[i]
		v := strings.TrimSpace(strings.ReplaceAll(l.Value, "\r\n", "\n"))
		if v == "" || l.origin == fromQuery || isControl(l) {
			continue
		}
		pairs = append(pairs, strconv.Itoa(len(l.Path))+":"+l.Path+"="+strconv.Itoa(len(v))+":"+v+"\n")
	}
	slices.Sort(pairs)
	return []byte(strings.Join(pairs, ""))
}

type mapper struct {
	rules    Vocabulary
	out      Mapped
	personal *leadv1.PersonalData
	features *leadv1.Features
	notes    notes

	answers []answer           // candidates and unknowns, in the order of the body
	taken   [fieldCount]string // first answer of each field
	first   [fieldCount]int    // its place in answers, -1 = none
}

// answer is one leaf that is neither blank nor a control.
type answer struct {
	leaf  *Leaf
	value string
	field field
	how   how
	used  bool // by a field: it is not an unknown answer any more
}

// how says by what an answer was recognised, best first.
type how int8

const (
	byKey how = iota
	byLabel
	byQuestion
	byType
)

// sort sets aside what is no answer and recognises the rest.
func (m *mapper) sort(item Item, idLeaf int, src *intakev1.SourceDeclared) {
	traps := map[string]bool{}
	for _, name := range src.GetHoneypots() {
		traps[strings.ToLower(name)] = true
	}
	m.answers = make([]answer, 0, len(item.Leaves))
	reachable := reachableParents(item)
	answered := slices.ContainsFunc(item.Leaves, func(l Leaf) bool { return l.rank == rankAnswer })
	for i := range item.Leaves {
		l := &item.Leaves[i]
		value := strings.TrimSpace(l.Value)
		key := strings.ToLower(l.Key)
		if l.rank != rankForeign && (traps[key] || traps[strings.ToLower(l.Path)] || honeypots[key]) {
			if value != "" && m.out.Spam == "" {
				m.out.Spam = "a hidden field that people cannot see was filled"
			}
			continue
		}
		if value == "" || i == idLeaf || isControl(l) {
			continue
		}
		a := answer{leaf: l, value: value}
		a.field, a.how = recognise(l)
		switch a.field {
		case fieldName, fieldJobTitle, fieldFirstName, fieldLastName, fieldCompany, fieldMessage:
			if a.how == byKey && !own(l, answered, reachable) {
				a.field = fieldNone
			}
		case fieldTest:
			yes, ok := Flag(value)
			if ok && yes {
				m.out.Submission.Test = true
			}
			if ok {
				continue
			}
			a.field = fieldNone
		}
		if l.rank == rankForeign {
			a.field = fieldNone
		}
		m.answers = append(m.answers, a)
	}
}

// own says whether a name, a title or a text is the person's. Forms and pages
// have those too: outside the answers they are the person's only beside their
// address, and a bare title not even there.
func own(l *Leaf, answered bool, reachable map[string]bool) bool {
	switch {
	case l.rank == rankAnswer, l.rank == rankPlain && !answered:
		return true
	case norm(l.Key) == "title":
		return false
	}
	return reachable[parentOf(l)]
}

// parentOf is the path of what a leaf stands in.
func parentOf(l *Leaf) string {
	tail := l.Key
	if strings.HasSuffix(l.Path, tail) {
		return strings.TrimSuffix(l.Path, tail)
	}
	return l.Path
}

// reachableParents are the places that hold an e-mail address or a number.
func reachableParents(item Item) map[string]bool {
	places := map[string]bool{}
	for i := range item.Leaves {
		l := &item.Leaves[i]
		if l.rank == rankForeign || l.Value == "" {
			continue
		}
		if f := fieldOfKey(l.Key); f == fieldEmail || f == fieldPhone {
			places[parentOf(l)] = true
		}
	}
	return places
}

func recognise(l *Leaf) (field, how) {
	if l.Type == "file" || l.Type == "FILE_UPLOAD" {
		return fieldNone, byKey
	}
	if f := fieldOfPart(l); f != fieldNone {
		return f, byKey
	}
	if f := fieldOfKey(l.Key); f != fieldNone {
		return f, byKey
	}
	if l.Label != "" {
		if f := fieldOfKey(l.Label); f != fieldNone {
			return f, byLabel
		}
		if f := fieldOfQuestion(l.Label); f != fieldNone {
			return f, byQuestion
		}
	}
	if f := fieldOfQuestion(l.Key); f != fieldNone {
		return f, byQuestion
	}
	switch norm(l.Type) {
	case "email", "inputemail":
		return fieldEmail, byType
	case "tel", "phone", "phonenumber", "inputphonenumber":
		return fieldPhone, byType
	}
	return fieldNone, byKey
}

// fieldOfPart recognises the parts of a name or a number that a form asks for
// in pieces: {"name": {"first": …, "last": …}}.
func fieldOfPart(l *Leaf) field {
	if len(l.parents) == 0 {
		return fieldNone
	}
	parent := l.parents[len(l.parents)-1]
	switch norm(l.Key) {
	case "first":
		if strings.Contains(parent, "name") {
			return fieldFirstName
		}
	case "last":
		if strings.Contains(parent, "name") {
			return fieldLastName
		}
	case "full", "number":
		if fieldOfKey(parent) == fieldPhone {
			return fieldPhone
		}
	}
	return fieldNone
}

// pick takes the best answer of each field: answers of the person before the
// form's own data, keys before labels, then the order of the form.
func (m *mapper) pick() {
	order := make([]int, 0, len(m.answers))
	for i := range m.answers {
		if m.answers[i].field != fieldNone {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := &m.answers[i], &m.answers[j]
		return cmp.Or(cmp.Compare(a.leaf.rank, b.leaf.rank), cmp.Compare(a.how, b.how))
	})
	for f := range m.first {
		m.first[f] = -1
	}
	for _, i := range order {
		a := &m.answers[i]
		if m.first[a.field] >= 0 || !m.plausible(a) {
			continue
		}
		m.first[a.field], m.taken[a.field] = i, a.value
	}
}

// plausible says whether a value can be what its name says. An unlikely value
// is believed only where the key itself is the field's name, so that a typing
// mistake in an address stays visible as the address.
func (m *mapper) plausible(a *answer) bool {
	switch a.field {
	case fieldEmail:
		if a.how == byKey && norm(a.leaf.Key) != "replyto" {
			return !isYesNo(a.value)
		}
		_, ok := NormaliseEmail(a.value)
		return ok
	case fieldPhone:
		if a.how == byKey {
			return !isYesNo(a.value)
		}
		digits := strings.IndexFunc(a.value, unicode.IsDigit) >= 0
		return digits && len(a.value) <= 64
	case fieldFirstName, fieldLastName, fieldName, fieldCompany, fieldJobTitle:
		return a.how == byKey || a.how == byLabel || len(a.value) <= 200
	}
	return true
}

// use marks the answer of a field as told. Repeats of the same value are told
// with it.
func (m *mapper) use(f field) string {
	i := m.first[f]
	if i < 0 {
		return ""
	}
	value := m.taken[f]
	for j := range m.answers {
		if a := &m.answers[j]; a.field == f && a.value == value {
			a.used = true
		}
	}
	return value
}

// identity finds who it is.
func (m *mapper) identity() {
	p := m.personal
	p.Email = m.use(fieldEmail)
	if p.Email == "" {
		// Last, an answer that is an e-mail address, whatever it was asked as.
		for i := range m.answers {
			a := &m.answers[i]
			if a.field != fieldNone || a.leaf.rank > rankPlain || a.leaf.origin == fromText || len(a.value) > 320 || !strings.Contains(a.value, "@") {
				continue
			}
			if _, ok := NormaliseEmail(a.value); ok {
				p.Email, a.used = a.value, true
				break
			}
		}
	}
	if p.Email != "" {
		if email, ok := NormaliseEmail(p.Email); ok {
			m.out.Email = email
			m.features.HasEmail = true
			m.features.FreeEmail = FreeMail(email)
		} else {
			m.notes.add("the e-mail address does not parse; it was kept as typed")
		}
	}
	if text := m.use(fieldCountry); text != "" {
		m.features.Country = m.country(text)
	}
	p.Phone = m.use(fieldPhone)
	p.Phone = m.withArea(p.Phone)
	if p.Phone == "" {
		for i := range m.answers {
			a := &m.answers[i]
			if a.field != fieldNone || a.used || a.leaf.rank > rankPlain || !strings.HasPrefix(a.value, "+") || len(a.value) > 32 {
				continue
			}
			if _, _, ok := NormalisePhone(a.value, ""); ok {
				p.Phone, a.used = a.value, true
				break
			}
		}
	}
	if p.Phone != "" {
		if phone, country, ok := NormalisePhone(p.Phone, m.features.Country); ok {
			m.out.Phone = phone
			m.features.HasPhone = true
			if m.features.Country == "" && m.first[fieldCountry] < 0 {
				m.features.Country = country
			}
		} else {
			m.notes.add("the telephone number does not parse; it was kept as typed")
		}
	}
	m.out.NeedsMapping = p.Email == "" && p.Phone == ""

	p.FirstName = m.use(fieldFirstName)
	p.LastName = m.use(fieldLastName)
	p.Name = m.use(fieldName)
	if p.Name == "" {
		p.Name = strings.TrimSpace(p.FirstName + " " + p.LastName)
	}
	p.Company = m.use(fieldCompany)
	m.features.HasCompany = p.Company != ""
	p.JobTitle = m.use(fieldJobTitle)
	p.Message = m.use(fieldMessage)
}

// withArea joins an area code that stands beside a number under one name.
func (m *mapper) withArea(phone string) string {
	for i := range m.answers {
		a := &m.answers[i]
		if len(a.leaf.parents) == 0 || fieldOfKey(a.leaf.parents[len(a.leaf.parents)-1]) != fieldPhone {
			continue
		}
		if norm(a.leaf.Key) == "area" && phone != "" && a.field == fieldNone {
			a.used = true
			return a.value + " " + phone
		}
	}
	return phone
}

func (m *mapper) country(text string) string {
	if code, ok := Country(text); ok {
		m.told(fieldCountry, code)
		return code
	}
	m.notes.add("the country was not understood")
	m.keep(fieldCountry)
	return ""
}

// facts finds what decisions may read.
func (m *mapper) facts() {
	if text := m.use(fieldEmployees); text != "" {
		if n, ok := Employees(text); ok {
			m.features.Employees = n
			m.told(fieldEmployees, strconv.FormatInt(n, 10))
		} else {
			m.notes.add("the number of employees was not understood")
			m.keep(fieldEmployees)
		}
	}
	m.features.Industry = m.word(ListIndustry, fieldIndustry)
	m.features.Role = m.word(ListRole, fieldRole)
	m.features.Product = m.word(ListProduct, fieldProduct)
	if m.features.Role == "" && m.rules != nil && m.personal.JobTitle != "" {
		if word, ok := m.rules.Word(ListRole, m.personal.JobTitle); ok && fits(word) {
			m.features.Role = word
		}
	}
	if text := m.use(fieldLanguage); text != "" {
		if tag, ok := Language(text); ok {
			m.features.Language = tag
		} else {
			m.keep(fieldLanguage)
		}
	}
	m.features.ContactWish = m.wish()
}

// word finds an agreed word. Without one the text stays an unknown answer.
func (m *mapper) word(list string, f field) string {
	text := m.use(f)
	if text == "" {
		return ""
	}
	if m.rules != nil {
		if word, ok := m.rules.Word(list, text); ok && fits(word) {
			m.told(f, word)
			return word
		}
	}
	m.keep(f)
	return ""
}

// wish finds whether the person asked for contact. Consent to processing is no
// such wish, and silence is unknown.
func (m *mapper) wish() leadv1.ContactWish {
	if text := m.use(fieldContactWish); text != "" {
		switch yes, ok := Flag(text); {
		case ok && yes:
			return leadv1.ContactWish_CONTACT_WISH_CONTACT
		case ok:
			return leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY
		}
		switch norm(text) {
		case "contact", "contactme", "callme", "kontakt", "demo":
			return leadv1.ContactWish_CONTACT_WISH_CONTACT
		case "content", "contentonly", "nocontact", "download", "none":
			return leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY
		}
		m.keep(fieldContactWish)
	}
	if text := m.use(fieldContentOnly); text != "" {
		if yes, ok := Flag(text); ok && yes {
			return leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY
		}
		m.keep(fieldContentOnly)
	}
	return leadv1.ContactWish_CONTACT_WISH_UNSPECIFIED
}

// told leaves an answer among the unknown ones where the feature says less than
// the person did: "51-200" became 51.
func (m *mapper) told(f field, feature string) {
	if m.taken[f] != feature {
		m.keep(f)
	}
}

func (m *mapper) keep(f field) { m.answers[m.first[f]].used = false }

// attribution finds the campaign. Parameters of the page's address stand in
// where the form sends none itself.
func (m *mapper) attribution() {
	at := &leadv1.Attribution{
		Source:   campaignWord(m.use(fieldUTMSource)),
		Medium:   campaignWord(m.use(fieldUTMMedium)),
		Campaign: campaignWord(m.use(fieldUTMCampaign)),
		Term:     campaignWord(m.use(fieldUTMTerm)),
		Content:  campaignWord(m.use(fieldUTMContent)),
	}
	for i := range m.answers {
		a := &m.answers[i]
		if a.field != fieldNone || !pageAddresses[norm(a.leaf.Key)] {
			continue
		}
		_, query, _ := strings.Cut(a.value, "?")
		query, _, _ = strings.Cut(query, "#")
		f := newForm()
		if f.addPairs(query, "", false) != nil {
			continue
		}
		for _, p := range []struct {
			to   *string
			name string
		}{{&at.Source, "utm_source"}, {&at.Medium, "utm_medium"}, {&at.Campaign, "utm_campaign"}, {&at.Term, "utm_term"}, {&at.Content, "utm_content"}} {
			if *p.to == "" {
				*p.to = campaignWord(firstText(f.root, p.name))
			}
		}
	}
	if at.Source != "" || at.Medium != "" || at.Campaign != "" || at.Term != "" || at.Content != "" {
		m.features.Attribution = at
	}
}

var pageAddresses = set("pageurl", "pageuri", "sourceurl", "landingpage", "landingpageurl", "landingurl", "pagelocation")

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
	if utf8.RuneCountInString(s) > 64 {
		s = strings.TrimSpace(string([]rune(s)[:64]))
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

// rest keeps every other answer under its own key, and records those that the
// agreement declares.
func (m *mapper) rest() {
	seen := map[[2]string]bool{}
	for i := range m.answers {
		a := &m.answers[i]
		if a.used {
			continue
		}
		// Some tools send each answer three times, under spellings of one key.
		id := [2]string{norm(a.leaf.Key), a.value}
		if seen[id] {
			continue
		}
		seen[id] = true
		m.personal.Other = append(m.personal.Other, &leadv1.Answer{Key: a.leaf.Key, Value: a.value})
		if m.rules == nil || a.leaf.rank == rankForeign {
			continue
		}
		name, v, ok := m.rules.Answer(a.leaf.Key, a.value)
		if !ok && a.leaf.Label != "" {
			name, v, ok = m.rules.Answer(a.leaf.Label, a.value)
		}
		if !ok || v == nil {
			continue
		}
		if m.features.Answers == nil {
			m.features.Answers = map[string]*leadv1.Value{}
		}
		if m.features.Answers[name] == nil {
			m.features.Answers[name] = v
		}
	}
}

func fits(word string) bool { return utf8.RuneCountInString(word) <= 64 }

func isYesNo(s string) bool {
	_, ok := Flag(s)
	return ok && s != "1" && s != "0"
}

// Flag reads yes or no as forms spell them.
func Flag(s string) (yes, ok bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "yes", "y", "on", "1", "ja", "oui", "si", "sí", "checked":
		return true, true
	case "false", "no", "n", "off", "0", "nein", "non", "unchecked":
		return false, true
	}
	return false, false
}
