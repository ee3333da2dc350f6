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

// AsWritten takes the industries and products of a file of the past as the file writes
// them where rules do not know them: who imports it says what its columns hold, and no
// decision is made of them.
func AsWritten(rules Vocabulary) Vocabulary { return written{rules} }

type written struct{ rules Vocabulary }

func (w written) Word(list, text string) (string, bool) {
	if w.rules != nil {
		if word, ok := w.rules.Word(list, text); ok {
			return word, true
		}
	}
	text = strings.TrimSpace(text)
	return text, text != "" && (list == ListIndustry || list == ListProduct)
}

func (w written) Answer(key, value string) (id string, v *leadv1.Value, ok bool) {
	if w.rules == nil {
		return "", nil, false
	}
	return w.rules.Answer(key, value)
}

// Mapped is a submission in Baton's words and what was found out on the way.
type Mapped struct {
	Submission *intakev1.Submission
	// Email and Phone are normalised, for matching; empty = none that parses.
	Email, Phone string
	// Spam is the rule that marks it as spam, in words; empty = none does.
	Spam string
	// NeedsMapping is true where nothing was found to reach the person by, or
	// where the only e-mail address might be somebody else's.
	NeedsMapping bool
	// Notes say what was odd, without anything of the content.
	Notes []string
	// Ignored is why this is no lead and was not meant to be one, in words: a kind
	// of event that the source does not take; empty = it is a submission.
	Ignored string
	// Update is true where the sender says that it changes what it sent before.
	Update bool
	// Event is what the kind of event means by the mapping: "create", "update",
	// "ignore", "erase" or "link"; empty = the mapping says nothing of kinds, or the
	// body names none. All but the first two are Ignored as well.
	Event string
	// Found says how each field was found, and Used what the mapping is called:
	// "typeform", "typeform+3", or empty where the body mapped itself.
	Found []*leadv1.FieldFound
	Used  string
	// Renamed is true where the sender may give one submission several ids: then
	// Replaces are those of what it takes the place of, ReplacedBy of what took its.
	Renamed              bool
	Replaces, ReplacedBy []string
}

// Map puts one submission of a body into Baton's words. What the mapping of its
// source says comes first: what the user settled, then the preset. Else it looks
// for each field by the form's key first, then by the label the person saw, then
// by what the value is; answers come before what a body says about its form.
// What it does not know is kept under the form's own key: of what a body holds,
// only controls and what a mapping ignores are left out. The rules may be nil
// while no agreement is in force: then nothing becomes an agreed word.
//
// It is pure: the same item, rules and source give the same outcome.
func Map(item Item, rules Vocabulary, src *intakev1.SourceDeclared) Mapped {
	m := mapper{
		rules:    rules,
		source:   src,
		personal: &leadv1.PersonalData{},
		features: &leadv1.Features{},
		notes:    slices.Clone(item.Notes),
	}
	m.out.Submission = &intakev1.Submission{Personal: m.personal, Features: m.features}
	id, idLeaf := externalID(item)
	m.out.Submission.ExternalId = id
	m.out.Submission.Test = item.test
	m.out.Renamed, m.out.Replaces, m.out.ReplacedBy = item.renamed, item.replaces, item.later
	if item.plan != nil {
		m.out.Used = item.plan.name
	}
	m.event(item)
	m.sort(item, idLeaf, src)
	m.pick()
	m.identity()
	m.facts()
	m.attribution()
	m.consents(item)
	m.rest()
	m.out.Notes = m.notes
	return m.out
}

// eventLink is a kind of event that says something of an earlier submission.
const eventLink = "link"

// event says what the kind of event means. A kind that the mapping knows is
// named where it is no submission; any other is the sender's own text and is not.
func (m *mapper) event(item Item) {
	if item.event == "" || len(item.plan.events) == 0 {
		return
	}
	kind := strings.TrimSpace(item.event)
	switch m.out.Event = item.plan.events[kind]; m.out.Event {
	case "create":
	case "update":
		m.out.Update = true
	case "erase":
		m.out.Ignored = kind + ": the sender asks to erase what it sent before"
	case eventLink:
		m.out.Ignored = kind + ": the event changes an earlier one and is no submission of its own"
	case "ignore":
		m.out.Ignored = kind + ": the source does not take this kind of event"
	default:
		m.out.Event, m.out.Ignored = "ignore", "the source does not take this kind of event"
	}
}

// ExternalID is the sender's own id for a submission; empty if it names none.
func ExternalID(item Item) string {
	id, _ := externalID(item)
	return id
}

func externalID(item Item) (string, int) {
	if item.id != "" {
		return item.id, -1
	}
	best, at := len(externalIDs), -1
	for i := range item.Leaves {
		l := &item.Leaves[i]
		if l.rank == rankForeign || l.around || l.origin >= fromQuery {
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
		if v == "" || l.origin == fromQuery || l.origin == fromHeader || isControl(l) {
			continue
		}
		pairs = append(pairs, strconv.Itoa(len(l.Path))+":"+l.Path+"="+strconv.Itoa(len(v))+":"+v+"\n")
	}
	slices.Sort(pairs)
	return []byte(strings.Join(pairs, ""))
}

type mapper struct {
	rules    Vocabulary
	source   *intakev1.SourceDeclared
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
	word  string // its key, normalised
	field field
	how   how
	used  bool // by a field: it is not an unknown answer any more
	sure  int  // how sure, in percent, where the way it was found does not say
}

// confidence is how sure it is that an answer is the field it was taken for.
func (a *answer) confidence() int {
	switch {
	case a.sure > 0:
		return a.sure
	case a.leaf.claim == nil && a.leaf.rank >= rankAside:
		return confidences[a.how] - asideCosts
	}
	return confidences[a.how]
}

// how says by what an answer was recognised, best first.
type how int8

const (
	bySettled how = iota
	byPreset
	byKey
	byLabel
	byQuestion
	byType
	byValue
	howCount
)

var howWords = [howCount]string{"settled", "preset", "key", "label", "question", "type", "value"}

// confidences are how sure each way is, in percent. What stands in something
// about the form or the page is less so. An address that only its value gives
// away is sure enough while it is the only one among the answers.
var confidences = [howCount]int{100, 98, 95, 85, 70, 60, 50}

const (
	asideCosts = 20
	onlyOne    = 65
	// doubtful is the confidence below which an e-mail address alone does not say
	// who somebody is.
	doubtful = 60
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
		if l.rank < rankAside && (traps[key] || traps[strings.ToLower(l.Path)] || honeypots[key]) {
			if value != "" && m.out.Spam == "" {
				m.out.Spam = "a hidden field that people cannot see was filled"
			}
			continue
		}
		claim := l.claim
		switch {
		case value == "", claim != nil && claim.ignore:
			continue
		case claim == nil && (i == idLeaf || l.isID || isControl(l)):
			continue
		}
		a := answer{leaf: l, value: value, word: norm(l.Key)}
		if claim != nil {
			a.field, a.how = claim.part(l), claim.how
			m.answers = append(m.answers, a)
			continue
		}
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
		if a.field == fieldNone && campaigned(value) {
			a.field, a.how = fieldPage, byValue
		}
		if l.rank == rankForeign {
			a.field = fieldNone
		}
		m.answers = append(m.answers, a)
	}
}

// part is the field of a leaf that a mapping takes for something: where it
// names a name or a number in parts, each part is what its own key says.
func (f *fieldPlan) part(l *Leaf) field {
	if l.inside == "" {
		return f.field
	}
	if p := partOf(f.field, l.Key); p != fieldNone {
		return p
	}
	return f.field
}

// own says whether a name, a title or a text is the person's. Forms and pages
// have those too: outside the answers they are the person's only beside their
// address, and a bare title not even there.
func own(l *Leaf, answered bool, reachable map[string]bool) bool {
	switch {
	case l.rank == rankAnswer, l.rank == rankPlain && !answered, slices.ContainsFunc(l.parents, ofCompany):
		return true
	case norm(l.Key) == "title":
		return false
	case l.rank == rankPlain && spoken(l.Key):
		// What was said in a conversation stands beside who said it.
		for at := range reachable { // any order: one is enough
			if at := strings.TrimSuffix(at, "."); parentOf(l) != "" && strings.HasPrefix(at, parentOf(l)) && !strings.Contains(at[len(parentOf(l)):], ".") {
				return true
			}
		}
	}
	return reachable[parentOf(l)]
}

// spoken says whether a key is nothing but a message's.
func spoken(key string) bool {
	word := norm(key)
	return fieldOfKey(key) == fieldMessage && (strings.Contains(word, "message") || strings.Contains(word, "mensaje") || strings.Contains(word, "nachricht"))
}

// parentOf is the path of what a leaf stands in.
func parentOf(l *Leaf) string {
	at, tail := l.Path, join("", l.Key)
	for strings.HasSuffix(at, "]") && !strings.HasSuffix(at, tail) { // one of several values
		at = at[:strings.LastIndexByte(at, '[')]
	}
	if strings.HasSuffix(at, tail) {
		return strings.TrimSuffix(at, tail)
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
	if l.Type == typeFile || isFileType(l.Type) {
		return fieldNone, byKey
	}
	if len(l.parents) > 0 {
		parent := l.parents[len(l.parents)-1]
		of := fieldOfKey(parent)
		if of == fieldNone && (strings.Contains(parent, "name") || personIn[parent]) {
			of = fieldName
		}
		if f := partOf(of, l.Key); f != fieldNone {
			return f, byKey
		}
	}
	if slices.ContainsFunc(l.parents, ofCompany) {
		return companyField(l.Key), byKey
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
	case "email", "inputemail", "emailinput", "emailaddress":
		return fieldEmail, byType
	case "tel", "phone", "phonenumber", "inputphonenumber", "telephone", "phoneinput":
		return fieldPhone, byType
	}
	return fieldNone, byKey
}

// ofCompany says whether an object of this name is about a company.
func ofCompany(parent string) bool {
	return parent == "associatedcompany" || fieldOfKey(parent) == fieldCompany
}

// companyField is what a key means inside of what is about a company: its name,
// never a person's, and no number or address of a person.
func companyField(key string) field {
	switch f := fieldOfKey(key); f {
	case fieldName, fieldCompany:
		return fieldCompany
	case fieldEmployees, fieldIndustry, fieldCountry:
		return f
	}
	return fieldNone
}

// partOf recognises the parts of a name or a number that a form asks for in
// pieces: {"name": {"first": …, "last": …}}.
func partOf(whole field, key string) field {
	switch word := norm(key); whole {
	case fieldName:
		switch word {
		case "first", "firstname", "given", "givenname", "vorname":
			return fieldFirstName
		case "last", "lastname", "family", "familyname", "surname", "nachname":
			return fieldLastName
		}
	case fieldPhone:
		switch word {
		case "full", "number", "phone":
			return fieldPhone
		case "area", "areacode":
			return fieldPhoneArea
		case "country", "countrycode", "callingcode":
			return fieldPhoneCountry
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
		return cmp.Or(cmp.Compare(min(a.how, byKey), min(b.how, byKey)), cmp.Compare(a.leaf.rank, b.leaf.rank), cmp.Compare(a.how, b.how))
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
	if a.how <= byPreset {
		return true
	}
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

// use marks the answer of a field as told, and says how it was found. Repeats
// of the same value are told with it.
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
	m.found(f, &m.answers[i])
	return value
}

func (m *mapper) found(f field, a *answer) {
	m.out.Found = append(m.out.Found, &leadv1.FieldFound{
		Field: fieldWords[f], Path: cut(a.leaf.Path, maxPath), By: howWords[a.how], Confidence: int32(a.confidence()),
	})
}

// maxPath is how much of a path is recorded, in bytes.
const maxPath = 256

// cut shortens a text to so many bytes, between characters.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// identity finds who it is.
func (m *mapper) identity() {
	p := m.personal
	var sure int
	var rivalled bool
	if i := m.first[fieldEmail]; i >= 0 {
		if rivalled = m.rivalled(&m.answers[i]); rivalled {
			m.answers[i].sure = confidences[byValue]
		}
		sure = m.answers[i].confidence()
		p.Email = m.use(fieldEmail)
	} else {
		p.Email, sure = m.emailByValue()
	}
	if p.Email != "" {
		if email, ok := NormaliseEmail(p.Email); ok {
			m.out.Email = email
			m.features.HasEmail = true
		} else {
			m.notes.add("the e-mail address does not parse; it was kept as typed")
		}
	}
	if text := m.use(fieldCountry); text != "" {
		m.features.Country = m.country(text)
	}
	if p.Phone = m.use(fieldPhone); p.Phone != "" {
		p.Phone = m.withArea(p.Phone)
	} else {
		p.Phone = m.phoneByValue()
	}
	if p.Phone != "" {
		if phone, country := numberOf(p, m.features, m.source); phone != "" {
			m.out.Phone = phone
			m.features.HasPhone = true
			if m.features.Country == "" && m.first[fieldCountry] < 0 {
				m.features.Country = country
			}
		} else {
			m.notes.add("the telephone number does not parse; it was kept as typed")
		}
	}
	m.out.NeedsMapping = unreachable(p) || p.Phone == "" && sure < doubtful || rivalled

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

// rivalled says whether the body speaks of somebody else in the same way, with an
// address of their own: two people side by side, and nothing says who asks. What
// stands in something about the form or the page speaks of nobody else.
func (m *mapper) rivalled(first *answer) bool {
	if first.leaf.claim != nil || first.leaf.rank >= rankAside || parentOf(first.leaf) == "" {
		return false
	}
	address, _ := NormaliseEmail(first.value)
	for i := range m.answers {
		a := &m.answers[i]
		if a.field != fieldEmail || a.how != first.how || a.leaf.rank != first.leaf.rank || parentOf(a.leaf) == "" || parentOf(a.leaf) == parentOf(first.leaf) {
			continue
		}
		if email, ok := NormaliseEmail(a.value); ok && email != address {
			return true
		}
	}
	return false
}

// emailByValue finds, last, an answer that is an e-mail address, whatever it
// was asked as. What a mapping says is something else is not looked at.
func (m *mapper) emailByValue() (string, int) {
	var first *answer
	var address string
	sure := onlyOne
	for i := range m.answers {
		a := &m.answers[i]
		if a.field != fieldNone || a.leaf.claim != nil || a.leaf.rank > rankPlain || a.leaf.origin == fromText || len(a.value) > 320 || !strings.Contains(a.value, "@") {
			continue
		}
		email, ok := NormaliseEmail(a.value)
		switch {
		case !ok:
		case first == nil:
			first, address = a, email
		case email != address:
			sure = confidences[byValue]
		}
	}
	if first == nil {
		return "", 0
	}
	first.used, first.how, first.sure = true, byValue, sure
	m.found(fieldEmail, first)
	return first.value, sure
}

// phoneByValue finds, last, an answer that is an international number.
func (m *mapper) phoneByValue() string {
	for i := range m.answers {
		a := &m.answers[i]
		if a.field != fieldNone || a.leaf.claim != nil || a.used || a.leaf.rank > rankPlain || !strings.HasPrefix(a.value, "+") || len(a.value) > 32 {
			continue
		}
		if _, _, ok := NormalisePhone(a.value, ""); ok {
			a.used, a.how = true, byValue
			m.found(fieldPhone, a)
			return a.value
		}
	}
	return ""
}

// withArea joins the codes that stand beside a number under one name.
func (m *mapper) withArea(phone string) string {
	for _, f := range []field{fieldPhoneArea, fieldPhoneCountry} {
		if i := m.first[f]; i >= 0 && strings.IndexFunc(m.taken[f], unicode.IsDigit) >= 0 {
			phone = m.use(f) + " " + phone
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
	if m.features.Role == "" {
		m.features.Role = roleFor(m.rules, m.personal)
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
	word := wordFor(m.rules, list, text)
	m.told(f, word)
	return word
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
		key, word := a.leaf.Key, a.word
		if c := a.leaf.claim; c != nil && c.field == fieldNone {
			key, word = c.name, norm(c.name)
		}
		id := [2]string{word, a.value}
		if seen[id] {
			continue
		}
		seen[id] = true
		m.personal.Other = append(m.personal.Other, &leadv1.Answer{Key: key, Value: a.value})
		if m.rules == nil || a.leaf.rank == rankForeign {
			continue
		}
		name, v, ok := m.rules.Answer(key, a.value)
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
