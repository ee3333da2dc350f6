package agreement

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// format is the version of documents that this program reads.
const format = 1

// document reads the whole document. Order among the parts is the writer's.
func (d *draft) document(root value) {
	a := d.agreement
	d.fields(root, "the agreement",
		must("baton", "1 (the version of this format)", "The version of this format. It is always 1.", func(v value) {
			if v.shape != nil {
				d.integer(v, format, format)
			} else if n, ok := d.integer(v, 0, 1<<31); ok && n != format {
				d.add(v.place, "this program reads format %d, not %d; write `baton: %[1]d`", format, n)
			}
		}),
		must("name", "with a name for the agreement", "What the agreement is called.", d.textInto(&a.name)),
		may("in_force_from", "From when it should be in force. Without it: as soon as both parties have signed.", d.inForceFrom),
		may("baseline", "From when reports count, unless somebody asks for earlier. Without it: from the beginning.", d.instantInto(&a.baseline)),
		must("parties", "with marketing and sales", "Who signs: marketing and sales.", d.readParties),
		may("glossary", "Terms that both departments use, each with what it means.", d.terms(&a.glossary)),
		may("words", "The words that conditions can compare with, each with the spellings by which it is recognised in what people type.", d.words),
		may("answers", "Answers of your own forms that conditions may read.", func(v value) { a.answers = d.questions(v, true) }),
		may("touches", "What a person can do besides filling in a form, each with what it means. Conditions count them.", d.touches),
		may("signals", "What shows that somebody wants to talk now. A signal makes a lead an MQL at once, as long as every must-have holds.", d.signals),
		must("profile", "(the customer profile)", "The customer profile: who is a good customer.", d.profile),
		must("personas", "with at least one persona", "Who the person is in their company. The first that matches counts; a lead that matches none stays with marketing.", d.personas),
		must("stages", "with LEAD, MQL, SAL and SQL", "The way of a lead: LEAD, MQL, SAL, SQL.", d.stages),
		may("questionnaire", "What is asked in calls, the same at every stage. Write either this or `questionnaires`.", d.oneQuestionnaire),
		may("questionnaires", "What is asked in calls, for each stage of the lead.", d.readQuestionnaires),
		must("nurture", "with recheck_after and owner", "What becomes of leads that stay with marketing.", d.nurture),
		must("handoffs", "with at least one rule", "Which pool gets a lead. The first rule of its stage whose condition holds decides.", d.readHandoffs),
		must("pools", "with at least one pool", "Groups of people who take turns.", d.readPools),
		may("holiday_sets", "Holidays that several calendars share, by a name of your choice, such as it. `baton agreement holidays` writes them.", d.readHolidaySets),
		must("calendars", "with at least one calendar", "When people work. Outside these hours nobody is offered a lead and no clock runs. The name is what pools refer to.", d.readCalendars),
		must("reasons", "with at least one reason for rejecting a lead", "Why a salesperson may reject a lead, and where it goes then.", d.reasons),
		may("reassign_reasons", "Why somebody may move a lead by hand, each with what it means. Without it: left, overload, wrong-person, customer-wish and other.", d.moveReasons),
		may("one_owner", "Whether one person of ours speaks with one person of theirs, and for how long after an act somebody else's act on the same person is a collision.", d.oneOwner),
		may("clocks", "Times within which something has to happen to a lead, who is reminded, and who hears of it if not.", d.readClocks),
		may("accepted_by_default", "For how long an accepted lead can be given back. Without it: for as long as it is open.", d.readAcceptedByDefault),
		may("dispositions", "What can come of a touch. Without it none is said.", d.readDispositions),
		may("deal_stages", "Stages of a deal, in their order, each with what people call it.", d.choices(&a.dealStages)),
		may("feedback", "What marketing asks sales about a lead, and by when.", d.readFeedback),
		may("disputes", "Who decides what one side holds against the other, and by when.", d.readDisputes),
		may("purposes", "What leads are for, such as new business or retention. Each lead has exactly one.", d.readPurposes),
		may("year", "How reports are divided by time. Without it: the year starts in January, in UTC.", d.readYear),
		may("overlays", "Exceptions for a part of the leads. They end by themselves.", d.readOverlays),
		may("priorities", "Which department takes precedence where, if the two want different things.", d.priorities),
		may("meetings", "When the two departments talk, and about what.", d.section("meetings")),
		may("responsibilities", "What each of the two departments does.", d.section("responsibilities")),
		may("goals", "What each of the two departments wants to reach.", d.section("goals")),
		may("problems", "What stands in the way of each of the two departments.", d.section("problems")),
	)
}

func (d *draft) inForceFrom(v value) {
	d.instantInto(&d.agreement.inForce)(v)
	d.agreement.hasStart = !d.agreement.inForce.IsZero()
}

// instantInto reads a time with its zone.
func (d *draft) instantInto(to *time.Time) func(value) {
	return func(v value) {
		if v.shape != nil {
			v.shape.is(kindOfInstant)
			return
		}
		text, _ := v.scalar()
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			d.add(v.atLeastKey(), "%s is written here; a time with its zone is expected, such as 2026-01-01T00:00:00Z", v.kind())
			return
		}
		*to = t.UTC()
	}
}

func (d *draft) readParties(v value) {
	d.parties = make(map[string]place)
	read := func(name string, into *party) field {
		return must(name, "with accountable and public_key", "Who answers for "+name+", and the key that signs for it.", func(v value) {
			d.parties[name] = v.key
			d.fields(v, "the party "+name,
				must("accountable", "with the person who answers for it", "The person who answers for it.", d.textInto(&into.accountable)),
				must("public_key", "with the key that signs (`baton agreement init` makes one)", "The public half of the key with which it signs.", func(v value) {
					d.parties[name] = v.place
					into.key = d.publicKey(v)
				}),
			)
		})
	}
	d.fields(v, "parties", read(Marketing, &d.agreement.marketing), read(Sales, &d.agreement.sales))
}

func (d *draft) publicKey(v value) ed25519.PublicKey {
	if v.shape != nil {
		v.shape.is(kindOfKey)
		return nil
	}
	text, _ := v.scalar()
	encoded, ok := strings.CutPrefix(text, "ed25519:")
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if !ok || err != nil || len(key) != ed25519.PublicKeySize || bytes.Equal(key, make([]byte, ed25519.PublicKeySize)) {
		d.add(v.atLeastKey(), "this is no public key; write ed25519: and 32 bytes in base64, as `baton agreement init` writes it")
		return nil
	}
	return key
}

// terms reads a mapping of names to texts.
func (d *draft) terms(into *[]Term) func(value) {
	return func(v value) {
		list, _ := d.entries(v)
		for _, e := range list {
			*into = append(*into, Term{Name: e.name, Text: d.text(e.value)})
		}
	}
}

// section reads a part that is there for people: one text, or a text for each of
// several names.
func (d *draft) section(name string) func(value) {
	return func(v value) {
		text, ok := v.scalar()
		d.either(v, ok && text != "", func(v value) {
			d.agreement.sections = append(d.agreement.sections, Term{Name: name, Text: d.text(v)})
		}, func(v value) {
			var parts []Term
			d.terms(&parts)(v)
			for _, p := range parts {
				d.agreement.sections = append(d.agreement.sections, Term{Name: name + "." + p.Name, Text: p.Text})
			}
		})
	}
}

func (d *draft) words(v value) {
	a := d.agreement
	d.fields(v, "words",
		may(Industries, "Industries, for lead.industry.", d.wordList(&a.industries)),
		may(Roles, "Roles of people, for lead.role.", d.wordList(&a.roles)),
		may(Products, "Products that somebody can ask about, for lead.product.", d.wordList(&a.products)),
	)
}

// wordList reads words with their synonyms, as a mapping, or words alone, as a
// list.
func (d *draft) wordList(into *wordList) func(value) {
	return func(v value) {
		spelt := make(map[string]string)
		word := func(at value, word string, synonyms []value) {
			seen := make(map[string]int)
			for _, w := range into.words {
				seen[w] = at.line
			}
			if word == "" || !d.unique(seen, word, at.place, "word") {
				return
			}
			into.words = append(into.words, word)
			d.spelling(into, spelt, word, word, at.place)
			for _, s := range synonyms {
				if text := d.text(s); text != "" {
					d.spelling(into, spelt, text, word, s.place)
				}
			}
		}
		_, mapping := v.node.(*ast.MappingNode)
		d.either(v, mapping, func(v value) {
			list, _ := d.entries(v)
			for _, e := range list {
				at := e.value
				at.place = e.key
				id := d.wordID(v, e)
				var synonyms []value
				if d.written(e.value) {
					synonyms, _ = d.items(e.value)
				}
				word(at, id, synonyms)
			}
		}, func(v value) {
			list, _ := d.items(v)
			for _, item := range list {
				word(item, d.id(item), nil)
			}
		})
	}
}

// wordID reads the name of an entry of a mapping as a word.
func (d *draft) wordID(mapping value, e entry) string {
	return d.wordFor(mapping, e, "a word of the list", "put other spellings among its synonyms")
}

// wordFor reads a name of a mapping as a word for some use, with advice where it is none.
func (d *draft) wordFor(mapping value, e entry, what, advice string) string {
	if mapping.shape != nil {
		mapping.shape.token(idChars, idWords)
		return e.name
	}
	name, at := e.name, e.key
	if name == "" || len(name) > maxToken || strings.ContainsFunc(name, func(c rune) bool { return !strings.ContainsRune(idChars, c) }) {
		d.add(at, "%q is not %s: %s, at most %d; %s", name, what, idWords, maxToken, advice)
		return ""
	}
	return name
}

// spelling keeps a spelling of a word. One that means two words is a problem.
func (d *draft) spelling(into *wordList, spelt map[string]string, text, word string, at place) {
	folded := fold(text)
	if len(folded) <= 2 {
		d.add(at, "%q holds neither letter nor digit", text)
		return
	}
	if other, taken := spelt[folded]; taken {
		if other != word {
			d.add(at, "%q already means %q; a spelling can mean one word only", text, other)
		}
		return
	}
	spelt[folded] = word
	into.phrases = append(into.phrases, phrase{folded: folded, written: strings.Join(strings.Fields(text), " "), word: word})
}

// reserved are words that the language of conditions keeps for itself.
var reserved = []string{
	"as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop",
	"namespace", "null", "package", "return", "true", "var", "void", "while",
}

// questions reads typed questions: those of forms have keys, those of calls
// none.
func (d *draft) questions(v value, form bool) []Question {
	list, ok := d.items(v)
	if !ok {
		return nil
	}
	seen := make(map[string]int)
	out := make([]Question, 0, len(list))
	for _, item := range list {
		q := Question{}
		var keysAt []reference
		idAt, typeAt, unitAt, scaleAt, valuesAt, decidesAt := item.place, item.key, place{}, place{}, place{}, place{}
		fields := []field{
			must("id", "to name the answer in conditions", "Names the answer: conditions write `answers.` and this, or `call.answers.` for a question of a call.", func(v value) {
				idAt = v.place
				q.ID = d.name(v)
			}),
			may("text", "The question as people read it.", d.textInto(&q.Text)),
			must("type", "text, number or flag", "What kind of answer it is.", func(v value) {
				typeAt = v.place
				q.Type = d.choice(v, kindText, kindNumber, kindFlag)
			}),
			may("values", "The agreed answers of type text, each with the spellings by which it is recognised.", func(v value) {
				valuesAt = v.key
				d.wordList(&q.values)(v)
				q.Values = q.values.words
			}),
			may("unit", "What a number is counted in, such as EUR.", func(v value) {
				unitAt = v.key
				if q.Unit = d.text(v); v.shape != nil {
					v.shape.most = maxUnit
				} else if len(q.Unit) > maxUnit {
					d.add(v.place, "the unit is longer than %d characters", maxUnit)
				}
			}),
			may("scale", "How many decimal places of a number are kept: with 2, 12.50 is kept as 1250, and conditions compare with 1250.", func(v value) {
				scaleAt = v.key
				q.Scale, _ = d.integer(v, 0, 6)
			}),
		}
		if !form {
			fields = append(fields, may("decides", "What the answer decides: whether the customer profile is confirmed, or in how many months the person wants to buy.", func(v value) {
				decidesAt = v.place
				q.Decides = d.choice(v, DecidesFit, DecidesHorizon)
			}))
		}
		if form {
			fields = append(fields, may("keys", "Names under which forms send this answer. The id is one by itself.", func(v value) {
				keys, _ := d.items(v)
				for _, key := range keys {
					if text := d.text(key); text != "" {
						keysAt = append(keysAt, reference{place: key.place, id: text})
					}
				}
			}))
		}
		if !d.fields(item, "the question", fields...) {
			continue
		}
		if q.Type == kindText && len(q.Values) == 0 && valuesAt.line == 0 {
			d.add(typeAt, "a text answer needs its agreed `values`: free text is always sealed, and no rule can read it")
		}
		if q.Type != kindText && q.Type != "" && valuesAt.line != 0 {
			d.add(valuesAt, "only answers of type text have values; remove them or write `type: text`")
		}
		if q.Type != kindNumber && q.Type != "" {
			for _, at := range []place{unitAt, scaleAt} {
				if at.line != 0 {
					d.add(at, "only answers of type number have a unit and a scale; remove this line or write `type: number`")
				}
			}
		}
		switch {
		case q.Decides == DecidesFit && q.Type != kindFlag:
			d.add(decidesAt, "only a question with a yes or a no can decide the fit; write `type: flag`")
		case q.Decides == DecidesHorizon && (q.Type != kindNumber || q.Scale != 0):
			d.add(decidesAt, "only a whole number of months can decide the horizon; write `type: number` without a scale")
		case q.Decides != "" && slices.ContainsFunc(out, func(other Question) bool { return other.Decides == q.Decides }):
			d.add(decidesAt, "another question decides the %s already; one of them can", q.Decides)
		}
		if d.unique(seen, q.ID, idAt, "answer") {
			out = append(out, q)
			if form {
				d.answerKeys = append(d.answerKeys, append([]reference{{place: idAt, id: q.ID}}, keysAt...))
			}
		}
	}
	return out
}

// maxUnit is the longest unit.
const maxUnit = 16

// What a question of a call can decide, as Question.Decides says it.
const (
	DecidesFit     = "fit"
	DecidesHorizon = "horizon"
)

// name reads an id that conditions can write after a dot.
func (d *draft) name(v value) string {
	name := d.token(v, "the id of an answer", nameChars, "lower-case letters, digits and underscores")
	switch {
	case v.shape != nil:
		v.shape.is(kindOfName)
		v.shape.words = reserved
	case name == "":
	case name[0] >= '0' && name[0] <= '9':
		d.add(v.place, "%q begins with a digit; conditions could not write it, so begin with a letter", name)
		return ""
	case slices.Contains(reserved, name):
		d.add(v.place, "%q is a word of the condition language; choose another id", name)
		return ""
	}
	return name
}

// indexAnswers finds answers by the keys under which forms send them. The id
// counts as a key.
func (d *draft) indexAnswers() {
	a := d.agreement
	a.answerKeys = make(map[string]int)
	for i, keys := range d.answerKeys {
		for _, key := range keys {
			folded := fold(key.id)
			other, taken := a.answerKeys[folded]
			switch {
			case len(folded) <= 2:
				d.add(key.place, "the key %q holds neither letter nor digit", key.id)
			case taken && other != i:
				d.add(key.place, "the key %q already belongs to the answer %q; an answer of a form can be one feature only", key.id, a.answers[other].ID)
			default:
				a.answerKeys[folded] = i
			}
		}
	}
}

func (d *draft) profile(v value) {
	p := &d.agreement.profile
	d.profileAt = v.key
	d.fields(v, "the profile",
		must("version", "that explanations cite", "Cited by every decision. Change it whenever you change the profile.", d.textInto(&p.version)),
		must("points_needed", "(0 where the must-haves decide alone)", "How many points a lead needs, besides the must-haves. 0: the must-haves decide alone.", func(v value) {
			d.profileAt = v.place
			p.needed, _ = d.integer(v, 0, 1_000_000)
		}),
		must("criteria", "with at least one criterion", "What is looked at. Each criterion is either a must-have or gives points.", func(v value) {
			list, ok := d.items(v)
			d.some(v, ok, len(list), "the profile has no criteria; add at least one")
			p.criteria = make([]criterion, len(list))
			seen := make(map[string]int)
			for i, item := range list {
				d.criterion(item, &p.criteria[i], seen)
			}
		}),
	)
}

func (d *draft) criterion(item value, c *criterion, seen map[string]int) {
	var mustAt, pointsAt place
	c.when = always
	d.halves = append(d.halves, halving{criterion: c})
	halves := &d.halves[len(d.halves)-1]
	ok := d.fields(item, "the criterion",
		must("id", "to name it", "Names the criterion.", d.uniqueID(&c.id, seen, "criterion")),
		must("text", "with the criterion in words", "The criterion in words, as explanations show it.", d.textInto(&c.text)),
		must("when", "with its condition", "When it is met.", d.condition(&c.when)),
		may("must", "Write true for a must-have: a lead that does not meet it cannot qualify.", func(v value) { mustAt = v.key; c.must = d.flag(v) }),
		may("points", "How many points it gives where it is met. Points below zero speak against a lead.", func(v value) {
			pointsAt = v.key
			c.points, _ = d.integer(v, -1000, 1000)
		}),
		may("halves_every", "The time after which half of the points are left, for criteria that count touches.", func(v value) { halves.place = v.key; c.halves = d.duration(v) }),
	)
	switch {
	case !ok:
	case halves.line != 0 && pointsAt.line == 0:
		d.add(halves.place, "only points can halve; write `points:` or remove `halves_every`")
	case mustAt.line != 0 && pointsAt.line != 0:
		d.add(pointsAt, "a criterion is either a must-have or gives points; keep one of `must` and `points`")
	case mustAt.line != 0 && !c.must:
		d.add(mustAt, "`must: false` says nothing; write `must: true` or `points:` with a number")
	case mustAt.line == 0 && pointsAt.line == 0:
		d.add(item.key, "the criterion has no weight; add `must: true` or `points:` with a number")
	case pointsAt.line != 0 && c.points == 0:
		d.add(pointsAt, "a criterion of 0 points changes nothing; write a number from -1000 to 1000 or remove it")
	}
}

// uniqueID reads an id that its list has once.
func (d *draft) uniqueID(into *string, seen map[string]int, what string) func(value) {
	return func(v value) {
		*into = d.id(v)
		d.unique(seen, *into, v.place, what)
	}
}

func (d *draft) personas(v value) {
	p := &d.agreement.personas
	d.fields(v, "personas",
		must("version", "that explanations cite", "Cited by every decision. Change it whenever you change the personas.", d.textInto(&p.version)),
		must("list", "with at least one persona", "The personas, the one that is tried first at the top.", func(v value) {
			list, ok := d.items(v)
			d.some(v, ok, len(list), "there is no persona; add at least one")
			p.list = make([]persona, len(list))
			seen := make(map[string]int)
			for i, item := range list {
				one := &p.list[i]
				one.when = always
				d.fields(item, "the persona",
					must("id", "to name it", "Names the persona.", d.uniqueID(&one.id, seen, "persona")),
					must("title", "that people read", "What people call the persona.", d.textInto(&one.title)),
					must("influence", "initiator, champion, decider, user or brake", "How such a person influences the purchase. A brake can stop it.", func(v value) {
						one.influence = d.choice(v, "initiator", "champion", "decider", "user", "brake")
					}),
					must("text", "with the persona in words", "The persona in words.", d.textInto(&one.text)),
					must("when", "with its condition", "When a lead is this persona.", d.condition(&one.when)),
				)
			}
		}),
	)
}

// stageNames are the stages in order, as documents write them.
var stageNames = [...]string{"LEAD", "MQL", "SAL", "SQL"}

func (d *draft) stages(v value) {
	fields := make([]field, len(stageNames))
	for i, name := range stageNames {
		fields[i] = must(name, "with title, owner, text, enter, exit and leave_within", "The stage "+name+".", func(v value) {
			s := &d.agreement.stages[i]
			d.stageAt[i] = v.key
			s.Stage = leadv1.Stage_STAGE_LEAD + leadv1.Stage(i)
			parts := []field{
				must("title", "that people read", "What people call the stage.", d.textInto(&s.Title)),
				must("owner", "with who answers for its leads", "Who is accountable for the leads in it.", d.textInto(&s.Owner)),
				must("text", "with the stage in words", "The stage in words.", d.textInto(&s.Text)),
				must("enter", "with the rule by which a lead comes in", "The rule in words by which a lead comes in.", d.textInto(&s.Enter)),
				must("exit", "with the rule by which a lead goes on", "The rule in words by which a lead goes on.", d.textInto(&s.Exit)),
				must("leave_within", "with the longest time in it, such as 3d", "The longest time that a lead may stay in it.", d.durationInto(&s.LeaveWithin)),
				may("responsible", "Who does the work.", d.namesInto(&s.Responsible)),
				may("informed", "Who hears of it.", d.namesInto(&s.Informed)),
			}
			if name == "MQL" {
				parts = append(parts, may("requires", "Facts that must be known before a lead is an MQL, such as lead.country. A lead without them waits and says which.", d.requires(s)))
			}
			if name == "SAL" || name == "SQL" {
				parts = append(parts, may("criteria", "What a call must have found out before a lead gets to this stage.", d.callCriteria(s)))
			}
			if name == "SQL" {
				parts = append(parts, must("horizon_months", "with the months within which somebody wants to buy", "Who wants to buy within so many months is an SQL, who wants to buy later a SAL.", d.integerInto(&d.agreement.horizon, 1, 240)))
			}
			d.fields(v, "the stage "+name, parts...)
		})
	}
	d.fields(v, "stages", fields...)
}

// namesInto reads one name or a list of names.
func (d *draft) namesInto(to *[]string) func(value) {
	return func(v value) {
		text, ok := v.scalar()
		d.either(v, ok && text != "", func(v value) {
			*to = []string{d.text(v)}
		}, func(v value) {
			list, _ := d.items(v)
			for _, item := range list {
				if text := d.text(item); text != "" {
					*to = append(*to, text)
				}
			}
		})
	}
}

// requires reads which facts must be known. What they are is looked up once the
// vocabulary is made.
func (d *draft) requires(s *stage) func(value) {
	return func(v value) {
		list, _ := d.items(v)
		for _, item := range list {
			if name := d.text(item); name != "" {
				d.required = append(d.required, required{reference{item.place, name}, s})
			}
		}
	}
}

// callCriteria reads what a call must have found out for a stage.
func (d *draft) callCriteria(s *stage) func(value) {
	return func(v value) {
		list, _ := d.items(v)
		s.criteria = make([]criterion, len(list))
		seen := map[string]int{"call": v.line, "fit": v.line, "horizon": v.line}
		for i, item := range list {
			c := &s.criteria[i]
			c.when, c.must = always, true
			d.fields(item, "the criterion",
				must("id", "to name it", "Names the criterion.", d.uniqueID(&c.id, seen, "criterion")),
				must("text", "with the criterion in words", "The criterion in words.", d.textInto(&c.text)),
				must("when", "with its condition", "When it is met.", d.condition(&c.when)),
				may("question", "The question of the call that decides it.", func(v value) {
					c.question = d.name(v)
					d.asked = append(d.asked, reference{v.place, c.question})
				}),
			)
		}
	}
}

// touches reads the kinds of touches that conditions can count.
func (d *draft) touches(v value) {
	list, _ := d.entries(v)
	for _, e := range list {
		if name := d.wordID(v, e); name != "" {
			d.agreement.touches = append(d.agreement.touches, Term{Name: name, Text: d.text(e.value)})
		}
	}
}

func (d *draft) signals(v value) {
	list, _ := d.items(v)
	d.agreement.signals = make([]signal, len(list))
	seen := make(map[string]int)
	for i, item := range list {
		s := &d.agreement.signals[i]
		s.when = always
		d.fields(item, "the signal",
			must("id", "to name it", "Names the signal.", d.uniqueID(&s.ID, seen, "signal")),
			must("title", "that people read", "What people call the signal.", d.textInto(&s.Title)),
			must("text", "with the signal in words", "The signal in words.", d.textInto(&s.Text)),
			must("when", "with its condition, such as touches.count(\"order-intent\", days:7) > 0", "When it shows. It counts touches.", func(v value) {
				d.signalsAt = append(d.signalsAt, v.place)
				d.condition(&s.when)(v)
			}),
			may("take_within", "The working time to take such a lead, where it is shorter than the pool gives.", d.durationInto(&s.TakeWithin)),
		)
	}
}

// oneQuestionnaire reads the questions of all calls.
func (d *draft) oneQuestionnaire(v value) {
	d.questionnaireAt = v.key
	q := Questionnaire{}
	d.fields(v, "the questionnaire", d.questionnaireFields(&q)...)
	d.agreement.questionnaires = append(d.agreement.questionnaires, q)
}

func (d *draft) questionnaireFields(q *Questionnaire) []field {
	return []field{
		must("version", "that calls cite", "Cited by every call. Change it whenever you change the questions.", d.textInto(&q.Version)),
		may("text", "What the call is about.", d.textInto(&q.Text)),
		must("questions", "with at least one question", "What is asked, in this order.", func(v value) {
			d.questionsAt = append(d.questionsAt, v.key)
			q.Questions = d.questions(v, false)
		}),
	}
}

// readQuestionnaires reads the questions of the calls at each stage.
func (d *draft) readQuestionnaires(v value) {
	if d.questionnaireAt.line != 0 {
		d.add(v.key, "there is a `questionnaire` for all calls already; keep one of the two")
	}
	var fields []field
	// A lead that nobody has looked at is not called.
	for i, name := range stageNames[1:] {
		fields = append(fields, may(name, "What is asked in calls about leads of stage "+name+".", func(v value) {
			q := Questionnaire{Stage: leadv1.Stage_STAGE_MQL + leadv1.Stage(i)}
			d.fields(v, "the questionnaire of "+name, d.questionnaireFields(&q)...)
			d.agreement.questionnaires = append(d.agreement.questionnaires, q)
		}))
	}
	d.fields(v, "questionnaires", fields...)
}

func (d *draft) nurture(v value) {
	n := &d.agreement.nurture
	d.fields(v, "nurture",
		must("recheck_after", "with the time until a lead is looked at again, such as 30d", "The longest time until a lead is looked at again. It is also looked at whenever something becomes known of it.", d.durationInto(&n.recheckAfter)),
		must("owner", "with who answers for these leads", "Who answers for these leads.", d.textInto(&n.owner)),
		may("back_to_same_person", "Whether somebody who sent a lead back to marketing may get it again. Without it: no.", func(v value) { n.same = d.flag(v) }),
		may("plan", "What such a lead gets, step by step.", func(v value) {
			list, _ := d.items(v)
			n.plan = make([]PlannedTouch, len(list))
			for i, item := range list {
				step := &n.plan[i]
				d.fields(item, "the step of the plan",
					must("after", "with the time after the step before, such as 7d", "How long after the step before, or after the lead came to marketing.", d.durationInto(&step.After)),
					must("touch", "with one of the agreed touches", "The kind of touch that ticks the step off; one of `touches`.", func(v value) {
						step.Touch = d.id(v)
						d.planned = append(d.planned, reference{v.place, step.Touch})
					}),
					must("text", "with what marketing does", "What marketing does.", d.textInto(&step.Text)),
				)
			}
		}),
	)
}

func (d *draft) readOverlays(v value) {
	list, _ := d.items(v)
	d.agreement.overlays = make([]overlay, len(list))
	seen := make(map[string]int)
	for i, item := range list {
		o := &d.agreement.overlays[i]
		o.when = always
		untilAt := item.key
		ok := d.fields(item, "the overlay",
			must("id", "to name it", "Names the exception.", d.uniqueID(&o.ID, seen, "overlay")),
			must("text", "with the exception in words", "The exception in words.", d.textInto(&o.Text)),
			may("when", "For which leads it holds. Without it: for all.", d.condition(&o.when)),
			may("from", "From when it holds. Without it: from when the agreement is in force.", d.instantInto(&o.From)),
			must("until", "with the time at which it ends, such as 2027-07-01T00:00:00Z", "When it ends.", func(v value) {
				untilAt = v.place
				d.instantInto(&o.Until)(v)
			}),
			may("points_needed", "How many points these leads need instead.", func(v value) {
				if n, ok := d.integer(v, 0, 1_000_000); ok {
					o.PointsNeeded = &n
				}
			}),
			may("pool", "The pool that gets these leads instead.", func(v value) {
				o.Pool = d.id(v)
				d.handoffs = append(d.handoffs, reference{v.place, o.Pool})
			}),
			may("take_within", "The working time to take these leads instead.", d.durationInto(&o.TakeWithin)),
		)
		switch {
		case !ok:
		case !o.Until.IsZero() && !o.From.Before(o.Until):
			d.add(untilAt, "the overlay ends before it begins; write an `until` after its `from`")
		case o.PointsNeeded == nil && o.Pool == "" && o.TakeWithin == 0:
			d.add(item.key, "the overlay changes nothing; add `points_needed`, `pool` or `take_within`")
		}
	}
}

func (d *draft) priorities(v value) {
	list, _ := d.items(v)
	d.agreement.priorities = make([]Priority, len(list))
	seen := make(map[string]int)
	for i, item := range list {
		p := &d.agreement.priorities[i]
		untilAt := item.key
		d.fields(item, "the priority",
			must("id", "to name it", "Names it.", d.uniqueID(&p.ID, seen, "priority")),
			must("leads", "with marketing or sales", "Which department takes precedence.", func(v value) { p.Leads = d.choice(v, Marketing, Sales) }),
			must("text", "with what it means", "What it means.", d.textInto(&p.Text)),
			may("scope", "What it is about, such as a segment or a product.", d.textInto(&p.Scope)),
			may("from", "From when it holds. Without it: from when the agreement is in force.", d.instantInto(&p.From)),
			may("until", "Until when it holds. Without it: for as long as the agreement.", func(v value) {
				untilAt = v.place
				d.instantInto(&p.Until)(v)
			}),
		)
		if !p.Until.IsZero() && !p.From.Before(p.Until) {
			d.add(untilAt, "the priority ends before it begins; write an `until` after its `from`")
		}
	}
}

func (d *draft) readHandoffs(v value) {
	d.handoffsAt = v.key
	list, _ := d.items(v)
	d.agreement.handoffs = make([]handoff, len(list))
	seen := make(map[string]int)
	for i, item := range list {
		h := &d.agreement.handoffs[i]
		h.when = always
		d.rulesAt = append(d.rulesAt, item.place)
		d.fields(item, "the handoff",
			must("id", "to name it", "Names the rule.", d.uniqueID(&h.ID, seen, "handoff")),
			must("stage", oneOf(stageNames[:]), "Of which stage the leads are that it hands over.", func(v value) {
				name := d.choice(v, stageNames[:]...)
				h.Stage = leadv1.Stage(slices.Index(stageNames[:], name) + int(leadv1.Stage_STAGE_LEAD))
			}),
			must("text", "with the rule in words", "The rule in words.", d.textInto(&h.Text)),
			may("when", "Which leads it takes. Without it: all that are left.", d.condition(&h.when)),
			must("pool", "with the pool that gets the leads", "The pool that gets them; one of `pools`.", func(v value) {
				h.Pool = d.id(v)
				d.handoffs = append(d.handoffs, reference{place: v.place, id: h.Pool})
			}),
			may("needs", "Facts of the lead that whoever gets it must know their way in, such as lead.language: somebody who `knows` de gets the leads with de. What is unknown asks for nothing.", func(v value) {
				list, _ := d.items(v)
				for _, item := range list {
					if name := d.text(item); name != "" {
						d.needed = append(d.needed, needed{reference{item.place, name}, h})
					}
				}
			}),
			may("skills", "What whoever gets these leads must know, whatever the lead says; words from `knows`.", func(v value) {
				list, _ := d.items(v)
				for _, item := range list {
					if word := d.knowledge(item); word != "" {
						h.Skills = append(h.Skills, word)
						d.skills = append(d.skills, needed{reference{item.place, word}, h})
					}
				}
			}),
		)
	}
}

func (d *draft) reasons(v value) {
	list, ok := d.items(v)
	d.some(v, ok, len(list), "there is no reason for rejecting a lead; add at least one")
	consequences := []string{"next-person", "nurture", "disqualify"}
	seen := make(map[string]int)
	for _, item := range list {
		d.after.reasons = append(d.after.reasons, item.place)
		r := Reason{}
		d.fields(item, "the reason",
			must("id", "to name it", "Names the reason.", d.uniqueID(&r.ID, seen, "reason")),
			must("title", "that people read", "What people read when they choose it.", d.textInto(&r.Title)),
			must("leads_to", oneOf(consequences), "Where the lead goes: to the next person, back to marketing, or out.", func(v value) {
				word := d.choice(v, consequences...)
				r.Consequence = leadv1.Consequence(slices.Index(consequences, word) + 1)
			}),
			may("credit", "Whether the person gets another lead for it, because the lead was a bad one.", func(v value) { r.Credit = d.flag(v) }),
			may("attempts", "How many touches must have been tried before this reason may be given, as for a person who cannot be reached.", func(v value) {
				if n, ok := d.integer(v, 1, 100); ok {
					r.Attempts = n
				}
			}),
		)
		d.agreement.reasons = append(d.agreement.reasons, r)
	}
}
