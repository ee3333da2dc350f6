package intake

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// field is a place in a submission that an answer can go to.
type field int8

const (
	fieldNone field = iota
	fieldEmail
	fieldPhone
	fieldName
	fieldFirstName
	fieldLastName
	fieldCompany
	fieldJobTitle
	fieldMessage
	fieldCountry
	fieldEmployees
	fieldIndustry
	fieldRole
	fieldProduct
	fieldLanguage
	fieldContactWish
	fieldContentOnly
	fieldUTMSource
	fieldUTMMedium
	fieldUTMCampaign
	fieldUTMTerm
	fieldUTMContent
	fieldUTMID
	fieldPage
	fieldReferrer
	fieldPhoneCountry
	fieldPhoneArea
	fieldTest
	fieldCount
)

// fieldWords are the fields as mappings and findings call them.
var fieldWords = [fieldCount]string{
	fieldEmail: "email", fieldPhone: "phone", fieldName: "name", fieldFirstName: "first_name", fieldLastName: "last_name",
	fieldCompany: "company", fieldJobTitle: "job_title", fieldMessage: "message", fieldCountry: "country", fieldEmployees: "employees",
	fieldIndustry: "industry", fieldRole: "role", fieldProduct: "product", fieldLanguage: "language",
	fieldContactWish: "contact_wish", fieldContentOnly: "content_only",
	fieldUTMSource: "utm_source", fieldUTMMedium: "utm_medium", fieldUTMCampaign: "utm_campaign", fieldUTMTerm: "utm_term",
	fieldUTMContent: "utm_content", fieldUTMID: "utm_id", fieldPage: "page", fieldReferrer: "referrer",
	fieldPhoneCountry: "phone_country", fieldPhoneArea: "phone_area", fieldTest: "test",
}

// fieldNamed is the field of a word; fieldNone = there is none of this name.
func fieldNamed(word string) field {
	for f, w := range fieldWords {
		if w == word && w != "" {
			return field(f)
		}
	}
	return fieldNone
}

// aliases are the names under which forms ask for a field, normalised: lower
// case, without accents, spaces and punctuation.
var aliases = aliasTable(map[field]string{
	fieldEmail:       "email emailaddress emailaddr mail workemail businessemail youremail useremail companyemail contactemail customeremail leademail primaryemail emailadresse mailadresse correo correoelectronico courriel adresseemail adresseelectronique adressemail mailprofessionnel correoempresarial emailprofissional indirizzoemail replyto",
	fieldPhone:       "phone phonenumber phoneno telno telnumber telephone telephonenumber tel telefon telefonnummer rufnummer handy handynummer mobil mobile mobilephone mobilenumber cell cellphone yourphone userphone yourtel workphone workphonenumber businessphone contactphone customerphone telefono numerodetelefono telefoonnummer numerodetelephone telephoneportable telephonemobile portable telefonomovil movil mobiltelefon",
	fieldName:        "name fullname yourname contactname customername leadname vollstandigername vorundnachname ihrname deinname vornameundnachname vornamenachname vornamename nombrecompleto nombreyapellidos nombreyapellido nometprenom prenometnom nomprenom prenomnom nomecognome nomcomplet nomecompleto naam",
	fieldFirstName:   "firstname fname givenname forename yourfirstname vorname prenom nombre primernombre voornaam namefirst",
	fieldLastName:    "lastname lname surname familyname yourlastname nachname familienname zuname nom nomdefamille apellido apellidos cognome achternaam namelast",
	fieldCompany:     "company companyname yourcompany organization organisation organizationname organisationname firma firm firmname firmenname unternehmen unternehmensname employer business businessname entreprise org societe raisonsociale nomdelentreprise nomdelasociete empresa razonsocial nombredelaempresa ragionesociale azienda bedrijf bedrijfsnaam",
	fieldJobTitle:    "jobtitle title position job jobposition yourposition occupation berufsbezeichnung berufstitel stellenbezeichnung funktion stelle poste cargo puesto functietitel",
	fieldMessage:     "message yourmessage comments comment nachricht ihrenachricht mitteilung anfrage inquiry enquiry anliegen kommentar bemerkung bemerkungen notes note description details question questions mensaje messaggio bericht lastmessage firstmessage ultimomensaje primermensaje derniermessage letztenachricht erstenachricht demande consulta comentario comentarios commentaire commentaires howcanwehelp howcanwehelpyou wiekonnenwirhelfen yourquestion freetext text",
	fieldCountry:     "country countrycode countryname countryregion land landregion staat nation pays pais paese",
	fieldEmployees:   "employees employee numberofemployees noofemployees numemployees employeecount employeesnumber companysize teamsize headcount companyheadcount organizationsize organisationsize mitarbeiter mitarbeiterzahl mitarbeiteranzahl anzahlmitarbeiter anzahldermitarbeiter beschaftigte unternehmensgrosse unternehmensgroesse firmengrosse firmengroesse nombredemployes nombredesalaries salaries effectif effectifs numerodeempleados empleados howmanyemployees sizeofcompany",
	fieldIndustry:    "industry yourindustry companyindustry branche sector industrie secteur vertical industriesector wirtschaftszweig",
	fieldRole:        "role yourrole jobrole rolle ihrerolle jobfunction function department abteilung buyingrole roleinpurchase",
	fieldProduct:     "product productname productinterest productofinterest interestedin interestedproduct produkt produktinteresse solution service",
	fieldLanguage:    "language lang sprache locale langue idioma preferredlanguage",
	fieldContactWish: "contactwish contactme wantscontact contactrequested requestcontact contactrequest pleasecontactme callback callme requestcallback requestdemo demorequest wantsdemo kontaktwunsch kontaktgewunscht ruckruf ruckrufwunsch ruckrufgewunscht contactconsent consenttocontact okaytocontact contactok",
	fieldContentOnly: "contentonly downloadonly nurcontent nurdownload nocontact",
	fieldUTMSource:   "utmsource",
	fieldUTMMedium:   "utmmedium",
	fieldUTMCampaign: "utmcampaign",
	fieldUTMTerm:     "utmterm",
	fieldUTMContent:  "utmcontent",
	fieldUTMID:       "utmid",
	fieldPage:        "pageurl pageuri sourceurl landingpage landingpageurl landingurl pagelocation",
	fieldReferrer:    "referrer referer referrerurl httpreferrer httpreferer documentreferrer",
	fieldTest:        "istest test testlead testmode sandbox issandbox debug",
})

// personIn are names of objects that are about the person.
var personIn = union(asking, set("contact", "person", "customer", "lead", "user", "kontakt", "kunde", "client", "cliente", "contacto"))

// asking are those of them that are about nobody but the one who asks.
var asking = set(
	"visitor", "prospect", "respondent", "invitee", "attendee", "subscriber", "participant", "registrant", "applicant", "guest", "enquirer", "inquirer",
	"besucher", "absender", "teilnehmer", "interessent", "anfragender", "visiteur", "prospecto", "repondant", "inscrit", "invite",
	"visitante", "participante", "encuestado", "asistente", "interesado", "visitatore", "partecipante", "bezoeker", "deelnemer",
)

// possessives are words in front of what is asked for that say only whose it is.
var possessives = set("your", "ihr", "ihre", "ihren", "dein", "deine", "votre", "vos", "ton", "ta", "su", "sus", "tu", "seu", "sua", "il", "la", "uw")

// phrases are words inside a longer question that give the field away. They
// are tried in this order, and only on questions, never on short keys.
var phrases = []struct {
	text  string
	field field
}{
	{"e mail", fieldEmail},
	{"email", fieldEmail},
	{"mailadresse", fieldEmail},
	{"adresse electronique", fieldEmail},
	{"correo", fieldEmail},
	{"courriel", fieldEmail},
	{"phone", fieldPhone},
	{"telephone", fieldPhone},
	{"telefon", fieldPhone},
	{"mobile number", fieldPhone},
	{"first name", fieldFirstName},
	{"vorname", fieldFirstName},
	{"last name", fieldLastName},
	{"surname", fieldLastName},
	{"nachname", fieldLastName},
	{"job title", fieldJobTitle},
	{"company size", fieldEmployees},
	{"how many employees", fieldEmployees},
	{"number of employees", fieldEmployees},
	{"wie viele mitarbeiter", fieldEmployees},
	{"combien de salaries", fieldEmployees},
	{"combien d employes", fieldEmployees},
	{"cuantos empleados", fieldEmployees},
	{"company name", fieldCompany},
	{"your company", fieldCompany},
	{"which company", fieldCompany},
	{"where do you work", fieldCompany},
	{"wo arbeiten sie", fieldCompany},
	{"ou travaillez vous", fieldCompany},
	{"donde trabaja", fieldCompany},
	{"raison sociale", fieldCompany},
	{"razon social", fieldCompany},
	{"your name", fieldName},
	{"full name", fieldName},
	{"who are you", fieldName},
	{"which country", fieldCountry},
	{"your country", fieldCountry},
	{"like to discuss", fieldMessage},
	{"help prepare", fieldMessage},
	{"how can we help", fieldMessage},
	{"how may we help", fieldMessage},
	{"your message", fieldMessage},
	{"your question", fieldMessage},
	{"tell us about your", fieldMessage},
	{"wie konnen wir", fieldMessage},
	{"worum geht", fieldMessage},
	{"ihre nachricht", fieldMessage},
	{"pouvons nous", fieldMessage},
	{"votre message", fieldMessage},
	{"votre demande", fieldMessage},
	{"podemos ayudar", fieldMessage},
	{"su mensaje", fieldMessage},
	{"su consulta", fieldMessage},
}

// controls are fields that steer a form tool and answer nothing. Some of them
// are secrets; none is stored beside a lead.
var controls = set(
	"next", "subject", "template", "captcha", "cc", "bcc", "autoresponse", "format", "blacklist", "url", "charset", "utf8",
	"returl", "redirect", "redirecturl", "successurl", "thankyouurl", "captchasettings", "oid", "debugemail",
	"grecaptcharesponse", "hcaptcharesponse", "cfturnstileresponse", "frccaptchasolution",
	"csrf", "csrftoken", "xsrftoken", "csrfmiddlewaretoken", "authenticitytoken", "token", "nonce", "wpnonce", "wphttpreferer", "wpcf7", "wpcf7version", "wpcf7locale", "wpcf7unittag", "wpcf7containerpost",
	"formname", "submit", "btnsubmit", "googlekey", "handshakekey", "webhookurl", "clientkey",
)

// controlsWhenMarked are words that are a control only with an underscore in
// front; without one they may be an answer.
var controlsWhenMarked = set("subject", "template", "cc", "bcc", "format", "url", "language", "next", "token", "nonce", "captcha", "redirect")

// isControl says whether a leaf, or what it stands in, steers a form tool.
func isControl(l *Leaf) bool {
	head := l.Key
	if len(l.parents) > 0 {
		if controls[l.parents[0]] && !controlsWhenMarked[l.parents[0]] {
			return true
		}
	}
	word := norm(head)
	if controlsWhenMarked[word] {
		return strings.HasPrefix(head, "_") || (word == "next" || word == "captcha" || word == "redirect") && l.origin == fromForm
	}
	return controls[word]
}

// honeypots are the usual names of fields that people cannot see. A field
// named website is not among them: people are asked for it.
var honeypots = set("_gotcha", "_honeypot", "_honey", "honeypot", "bot-field", "botcheck", "website_url_confirm")

// externalIDs are names of the sender's own id for a submission, best first.
var externalIDs = []string{"externalid", "submissionid", "leadid", "leadgenid", "responseid", "entryid", "eventid", "id"}

// idInForms are those of them that a plain form sends on purpose. A hidden
// event_id or id in a form is the same for everybody who fills it in, and would
// make one lead of all of them.
var idInForms = set("externalid", "submissionid", "leadid", "entryid")

// idPlaces are where a field that is just called id names the submission.
var idPlaces = set("id", "data.id", "payload.id", "submission.id", "lead.id", "response.id")

func aliasTable(lists map[field]string) map[string]field {
	table := make(map[string]field)
	for f, list := range lists {
		for name := range strings.FieldsSeq(list) {
			if other, twice := table[name]; twice && other != f {
				panic("intake: two fields claim the name " + name)
			}
			table[name] = f
		}
	}
	return table
}

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

// norm reduces a key or a label to what two spellings of it share: letters and
// digits, lower case, without accents.
func norm(s string) string {
	if len(s) > MaxKey {
		s = s[:MaxKey]
	}
	s = spelled(s)
	clean := true
	for i := range len(s) {
		if !isWordByte(s[i]) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		if isWordByte(s[i]) {
			b = append(b, s[i])
		}
	}
	return string(b)
}

// spelled is a text without accents and capitals, in which typographic marks
// stand for themselves no more: quotes are plain ones, all else is a space.
func spelled(s string) string {
	s = fold(s)
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return strings.Map(func(r rune) rune {
				switch {
				case r == '’' || r == '‘':
					return '\''
				case r >= utf8.RuneSelf && (unicode.IsPunct(r) || unicode.IsSpace(r)):
					return ' '
				}
				return r
			}, s)
		}
	}
	return s
}

// isWordByte keeps letters, digits and everything beyond ASCII.
func isWordByte(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 0x80 }

// fieldOfKey finds the field of a key by its name alone.
func fieldOfKey(key string) field {
	word := norm(key)
	if f := aliases[word]; f != fieldNone {
		return f
	}
	// Some tools number their keys: q3_email, your-email-2.
	if len(word) > 2 && word[0] == 'q' && isDigit(word[1]) {
		word = strings.TrimLeft(word[1:], "0123456789")
		if f := aliases[word]; f != fieldNone {
			return f
		}
	}
	if either, _, ok := strings.Cut(key, "/"); ok && len(either) > 2 {
		return aliases[norm(either)] // Company / organisation
	}
	// What is asked for stands behind whose it is: "Votre nom".
	if whose, what, ok := strings.Cut(strings.TrimSpace(key), " "); ok || strings.ContainsAny(key, "-_") {
		if !ok {
			whose, what, _ = strings.Cut(strings.ReplaceAll(key, "_", "-"), "-")
		}
		if possessives[norm(whose)] {
			if f := fieldOfKey(what); f != fieldNone {
				return f
			}
		}
	}
	// Lists have names in the plural.
	for _, p := range []struct{ many, one string }{{"ies", "y"}, {"es", ""}, {"s", ""}} {
		if one, ok := strings.CutSuffix(word, p.many); ok {
			if f := aliases[one+p.one]; f != fieldNone {
				return f
			}
		}
	}
	return fieldNone
}

// fieldOfQuestion finds the field that a longer question asks for.
func fieldOfQuestion(question string) field {
	if len(question) > 160 || !strings.ContainsRune(question, ' ') {
		return fieldNone
	}
	text := " " + strings.Join(strings.FieldsFunc(spelled(question), func(r rune) bool {
		return r < 0x80 && !isWordByte(byte(r))
	}), " ") + " "
	for _, p := range phrases {
		if strings.Contains(text, " "+p.text+" ") || len(p.text) > 6 && strings.Contains(text, " "+p.text) {
			return p.field
		}
	}
	return fieldNone
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
