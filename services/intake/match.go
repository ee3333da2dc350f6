package intake

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// From JoinAt percent on two who are alike are taken for one person, from
// SuggestAt on somebody is asked.
const (
	JoinAt    = 95
	SuggestAt = 65
)

// Likeness is what two persons are compared by: never said, always sealed.
// Its JSON is what the seal holds.
type Likeness struct {
	// First and Last name in plain lower-case letters; where a form asks for the
	// whole name, Last is its last word.
	First string `json:"f,omitempty"`
	Last  string `json:"l,omitempty"`
	// Companies are the names of the company: as given, and as its domain says.
	Companies []string `json:"c,omitempty"`
	// Local is the part of the e-mail address before the "@", without a tag; empty
	// where it names a desk and not a person.
	Local string `json:"e,omitempty"`
	// Domain is the company's own domain behind the "@"; empty for a provider.
	Domain string `json:"d,omitempty"`
	// Tail is the last nine digits of the telephone number.
	Tail string `json:"p,omitempty"`
}

// desks are local parts behind which more than one person sits.
var desks = set(
	"info", "mail", "email", "office", "sales", "contact", "kontakt", "hello", "hallo", "team", "support", "admin", "service", "post",
	"marketing", "einkauf", "vertrieb", "buero", "accounting", "billing", "hr", "jobs", "press", "purchasing", "webmaster", "noreply", "test",
)

// legalForms say how a company is owned, not which one it is.
var legalForms = set(
	"ag", "as", "asa", "bv", "co", "company", "corp", "corporation", "cokg", "eg", "ek", "eu", "ev", "gbr", "gmbh", "group", "holding", "inc",
	"incorporated", "kft", "kg", "limited", "llc", "llp", "ltd", "nv", "oy", "oyj", "ohg", "plc", "pty", "sa", "sarl", "sas", "sasu", "se", "sl",
	"spa", "sro", "srl", "the", "und", "and", "ug", "zrt",
)

// LikenessOf is what a submission's person is compared by.
func LikenessOf(p *leadv1.PersonalData, email, phone string, domains *Domains) *Likeness {
	l := &Likeness{First: letters(p.GetFirstName()), Last: letters(p.GetLastName())}
	if l.First == "" || l.Last == "" {
		words := wordsOf(p.GetName())
		// "Lima, Ana" is the spelling of lists.
		if last, first, ok := strings.Cut(p.GetName(), ","); ok {
			words = append(wordsOf(first), wordsOf(last)...)
		}
		switch {
		case len(words) == 1 && l.First == "" && l.Last == "":
			l.Last = words[0]
		case len(words) > 1:
			l.First, l.Last = words[0], words[len(words)-1]
		}
	}
	if name := companyOf(p.GetCompany()); name != "" {
		l.Companies = append(l.Companies, name)
	}
	if email != "" {
		local, _, _ := strings.Cut(EmailKey(email), "@")
		if !desks[letters(local)] {
			l.Local = local
		}
		if domain := domains.CompanyDomain(email); domain != "" {
			l.Domain = domain
			label, _, _ := strings.Cut(domain, ".")
			if name := norm(label); !slices.Contains(l.Companies, name) {
				l.Companies = append(l.Companies, name)
			}
		}
	}
	l.Tail = tail(phone)
	return l
}

func digitsOf(s string) string {
	if !strings.ContainsAny(s, "0123456789") {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// tail is the last digits of a number, which its spelling does not change;
// empty where there are too few to tell anybody by.
func tail(phone string) string {
	digits := digitsOf(phone)
	if len(digits) < 7 {
		return ""
	}
	return digits[max(0, len(digits)-9):]
}

func wordsOf(s string) []string {
	var out []string
	for _, word := range strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == ',' || r == ';' || r == '.' }) {
		if word = letters(word); word != "" && !titles[word] {
			out = append(out, word)
		}
	}
	return out
}

var titles = set("mr", "mrs", "ms", "miss", "dr", "prof", "herr", "frau", "mme", "ing", "dipl", "mag", "phd", "jr", "sr")

// letters are the letters and digits of a name, lower case and without accents.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, fold(s))
}

// companyOf is the name of a company without its legal form and its blanks.
func companyOf(name string) string {
	var kept []string
	for _, word := range strings.FieldsFunc(fold(name), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if !legalForms[word] && len(word) > 1 {
			kept = append(kept, word)
		}
	}
	return strings.Join(kept, "")
}

// seal is what the key store keeps sealed; nil where there is too little to
// compare anybody by.
func (l *Likeness) seal() []byte {
	if len(l.Blocks()) == 0 {
		return nil
	}
	raw, err := json.Marshal(l)
	if err != nil {
		return nil // a struct of texts always has a spelling
	}
	return raw
}

// opened is what seal spelt.
func opened(raw []byte) (*Likeness, bool) {
	l := &Likeness{}
	return l, json.Unmarshal(raw, l) == nil
}

// Blocks are the texts of which two who may be one share at least one. They
// only find candidates; what they share proves nothing.
func (l *Likeness) Blocks() []string {
	var out []string
	if l.Tail != "" {
		out = append(out, "tail "+l.Tail)
		// A digit that was typed wrongly stands in one half.
		if len(l.Last) > 0 {
			out = append(out, "half "+l.Tail[:len(l.Tail)/2]+" "+sound(l.Last), "half "+l.Tail[len(l.Tail)/2:]+" "+sound(formal(l.First)))
		}
	}
	if len(l.Local) >= 6 {
		out = append(out, "local "+l.Local)
	}
	for _, company := range l.Companies {
		if l.Last != "" {
			out = append(out, "last "+company+" "+sound(l.Last))
		}
		if l.First != "" {
			out = append(out, "first "+company+" "+sound(formal(l.First)))
		}
	}
	if len(l.Companies) > 0 && l.First != "" && l.Last != "" {
		// The company misspelt: its first letters, under the whole name's sound.
		out = append(out, "name "+sound(formal(l.First))+" "+sound(l.Last)+" "+l.Companies[0][:min(2, len(l.Companies[0]))])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// sound is what names share that are pronounced alike: the first letter and the
// classes of the consonants behind it (Soundex, of any length up to four).
func sound(name string) string {
	const classes = "01230120022455012623010202" // of a to z
	out := make([]byte, 0, 4)
	var last byte
	for _, r := range name {
		if r < 'a' || r > 'z' {
			if len(out) == 0 {
				return name // another script: the name as it is
			}
			continue
		}
		class := classes[r-'a']
		switch {
		case len(out) == 0:
			out = append(out, byte(r))
		case class != '0' && class != last && len(out) < 4:
			out = append(out, class)
		}
		if r != 'h' && r != 'w' {
			last = class
		}
	}
	return string(out)
}

// Alike says how sure it is, in percent, that two are one person, and what is
// alike about them. It never answers 100: equal is not the same.
//
// Each piece of evidence has a weight in bits, for or against (Fellegi and
// Sunter): how much more often it is seen with one person than with two. What
// one of the two does not state counts neither way. Bits are whole numbers, so
// everybody comes to the same figure.
//
// Two who write from the domains of two companies are never joined unasked.
func Alike(a, b *Likeness) (confidence int, alike []string) {
	const prior = -11 // of two with a common block, about one in two thousand is one person
	bits := prior
	name := likeName(a, b)
	bits += name
	if name >= 5 {
		alike = append(alike, "name")
	}
	if n, domain := likeCompany(a, b); n != 0 {
		if bits += n; n > 0 && domain {
			alike = append(alike, "domain")
		} else if n > 0 {
			alike = append(alike, "company")
		}
	}
	switch {
	case a.Tail == "" || b.Tail == "":
	case a.Tail == b.Tail:
		bits += 9
		alike = append(alike, "phone-tail")
	case distance(a.Tail, b.Tail) == 1:
		bits += 6
		alike = append(alike, "phone-tail")
	default:
		bits -= 3
	}
	switch {
	case a.Local == "" || b.Local == "":
	case a.Local == b.Local && (spells(a.Local, a) || spells(b.Local, b)):
		bits++ // whoever has the name has the address
	case a.Local == b.Local:
		bits += 7
		alike = append(alike, "email")
	case !spells(a.Local, a) || !spells(b.Local, b):
		bits--
	}
	confidence = percent(bits)
	if a.Domain != "" && b.Domain != "" && a.Domain != b.Domain {
		confidence = min(confidence, JoinAt-1)
	}
	return confidence, alike
}

// percent is how likely something is whose odds are 2^bits to 1.
func percent(bits int) int {
	if bits < 0 {
		return 100 - percent(-bits)
	}
	return []int{50, 67, 80, 89, 94, 97, 98, 99}[min(bits, 7)]
}

// likeName weighs two names. Given and family name may stand the other way
// round.
func likeName(a, b *Likeness) int {
	straight := likeParts(a.First, a.Last, b.First, b.Last)
	if crossed := likeParts(a.First, a.Last, b.Last, b.First) - 1; crossed > straight {
		return crossed
	}
	return straight
}

func likeParts(first, last, first2, last2 string) int {
	return likeWord(first, first2, 4) + likeWord(last, last2, 6)
}

// likeWord weighs two words of a name that is worth so many bits when equal.
func likeWord(a, b string, worth int) int {
	switch {
	case a == "" || b == "":
		return 0
	case a == b:
		return worth
	case len(a) == 1 && a[0] == b[0], len(b) == 1 && a[0] == b[0]:
		return 1 // an initial
	case formal(a) == formal(b):
		return worth - 1
	case numbered(a) || numbered(b):
		return -4 // whoever puts a number to a name tells namesakes apart
	}
	switch s := similar(a, b); {
	case s >= 930:
		return worth - 1
	case s >= 850:
		return worth - 2
	case s >= 780:
		return 0
	}
	return -4
}

// likeCompany weighs two companies by the pair of their names that is most
// alike, and says whether both are known by domain.
func likeCompany(a, b *Likeness) (bits int, domain bool) {
	if len(a.Companies) == 0 || len(b.Companies) == 0 {
		return 0, false
	}
	best := 0
	for i, x := range a.Companies {
		for j, y := range b.Companies {
			s := 0
			if x == y {
				s = 1001
			} else if digitsOf(x) == digitsOf(y) { // "Studio 54" is not "Studio 55"
				s = similar(x, y)
			}
			if short, long := order(x, y); s > 0 && x != y && len(short) >= 5 && strings.HasPrefix(long, short) {
				s = max(s, 930) // "Acme" and "Acme Robotics"
			}
			if s > best {
				best, domain = s, i > 0 && j > 0
			}
		}
	}
	switch {
	case best > 1000:
		return 6, domain
	case best >= 930:
		return 5, domain
	case best >= 860:
		return 3, domain
	case best >= 780:
		return 0, false
	}
	return -3, false
}

func order(a, b string) (short, long string) {
	if len(a) > len(b) {
		return b, a
	}
	return a, b
}

func numbered(s string) bool { return strings.ContainsAny(s, "0123456789") }

// spells says whether a local part is made of the name and nothing else:
// jane.smith, jsmith, smithj, jane, but not jane.smith2.
func spells(local string, l *Likeness) bool {
	word := letters(local)
	if word == "" {
		return false
	}
	for _, made := range []string{
		l.First + l.Last, l.Last + l.First, initial(l.First) + l.Last, l.Last + initial(l.First), l.First + initial(l.Last), l.First, l.Last,
		initial(l.First) + initial(l.Last),
	} {
		if made == word {
			return true
		}
	}
	return false
}

// formal is the whole name that a short form stands for.
func formal(name string) string {
	if whole := nicknames[name]; whole != "" {
		return whole
	}
	return name
}

func initial(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}

// similar is how alike two words are, in thousandths: Jaro's measure with
// Winkler's bonus for a common beginning, in whole numbers.
func similar(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) == 0 || len(y) == 0 {
		return 0
	}
	window := max(max(len(x), len(y))/2-1, 0)
	taken := make([]bool, len(y))
	var first []rune
	for i, r := range x {
		for j := max(0, i-window); j < min(len(y), i+window+1); j++ {
			if !taken[j] && y[j] == r {
				taken[j] = true
				first = append(first, r)
				break
			}
		}
	}
	m := len(first)
	if m == 0 {
		return 0
	}
	crossed, k := 0, 0
	for j, t := range taken {
		if t {
			if y[j] != first[k] {
				crossed++
			}
			k++
		}
	}
	s := (1000*m/len(x) + 1000*m/len(y) + 1000*(m-crossed/2)/m) / 3
	prefix := 0
	for prefix < min(4, len(x), len(y)) && x[prefix] == y[prefix] {
		prefix++
	}
	return s + prefix*(1000-s)/10
}

// distance is how many digits have to be changed, added, taken away or swapped
// with their neighbour to make one of the other; 2 stands for more as well.
func distance(a, b string) int {
	a, b = order(a, b)
	if len(b)-len(a) > 1 {
		return 2
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	switch {
	case len(a) == len(b) && i == len(a):
		return 0
	case len(b) > len(a):
		if a[i:] == b[i+1:] {
			return 1
		}
	case a[i+1:] == b[i+1:]:
		return 1
	case i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]:
		return 1
	}
	return 2
}

// nicknames say which short forms stand for one name.
var nicknames = map[string]string{
	"alex": "alexander", "sasha": "alexander", "andy": "andrew", "tony": "anthony", "ben": "benjamin", "beth": "elizabeth", "liz": "elizabeth",
	"bill": "william", "billy": "william", "will": "william", "bob": "robert", "rob": "robert", "bobby": "robert", "charlie": "charles",
	"chris": "christopher", "dan": "daniel", "danny": "daniel", "dave": "david", "dick": "richard", "rick": "richard", "rich": "richard",
	"ed": "edward", "fred": "frederick", "greg": "gregory", "hans": "johannes", "jack": "john", "jim": "james", "jimmy": "james", "joe": "joseph",
	"kate": "katherine", "kathy": "katherine", "ken": "kenneth", "larry": "lawrence", "matt": "matthew", "max": "maximilian", "mike": "michael",
	"michi": "michael", "nick": "nicholas", "pat": "patrick", "pete": "peter", "sam": "samuel", "sepp": "josef", "steve": "stephen",
	"steven": "stephen", "sue": "susan", "tom": "thomas", "uli": "ulrich", "wolfi": "wolfgang",
}
