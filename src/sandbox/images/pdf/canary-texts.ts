export type Piece =
  | { readonly kind: 'heading'; readonly text: string }
  /** `~` in a word: it may be hyphenated there. */
  | { readonly kind: 'text'; readonly text: string }
  /** `wide`: over both columns, which begin below it; only before any text. */
  | { readonly kind: 'table'; readonly wide: boolean; readonly rows: readonly (readonly string[])[] };

export interface Canary {
  /** File name without its ending. */
  readonly name: string;
  readonly title: string;
  readonly runningHead?: string;
  readonly pieces: readonly Piece[];
}

const heading = (text: string): Piece => ({ kind: 'heading', text });
const text = (content: string): Piece => ({ kind: 'text', text: content });

/** Invented texts about invented data, in the shape of what Medical_KG ingests. */
export const CANARIES: readonly Canary[] = [
  {
    name: 'canary-one',
    title: 'Dosing note: metformin and renal function',
    pieces: [
      heading('Purpose'),
      text(
        'This note tells a prescriber how the starting dose of met~formin follows from renal function. It replaces the summary of the previous year and was written for the wards of a teaching hospi~tal, where the drug is often begun on the day of admission.',
      ),
      text(
        'A dose is never begun without a creatinine value from the same week. Where none is at hand, the first dose waits for the labora~tory and the wait is written into the chart.',
      ),
      heading('How to read the table'),
      text(
        'Renal function is given as an estimated filtra~tion rate in millilitres a minute, corrected for body surface. The starting dose is for adults; the largest dose is what a day may reach after four weeks without com~plaints.',
      ),
      text(
        'Below thirty the drug is stopped, whatever the reason for which it was begun. Between thirty and forty-five it is not begun anew, but may be continued at half the dose if the kidneys have been stable for three months.',
      ),
      heading('Warnings'),
      text(
        'Lactic acidosis is rare and dangerous. It is thought of when a patient breathes fast, is drowsy or has abdom~inal pain. The drug is paused before contrast media and during any illness with loss of fluid, and resumed two days later if the crea~tinine has not risen.',
      ),
      text(
        'Vitamin B12 is measured once a year, earlier when there is anaemia or a neurop~athy that diabetes alone does not explain.',
      ),
      {
        kind: 'table',
        wide: false,
        rows: [
          ['Rate', 'Start', 'Largest'],
          ['over 60', '500 mg', '2000 mg'],
          ['45 to 60', '500 mg', '1500 mg'],
          ['30 to 45', 'none', '1000 mg'],
          ['under 30', 'none', 'none'],
        ],
      },
      heading('Follow-up'),
      text(
        'The rate is measured again after one week, after one month and then every three months. Whoever changes the dose tells the family doctor in writing, with the reason and the date of the next measure~ment.',
      ),
      text(
        'Patients get a card that names the drug, the dose and the situations in which they pause it by them~selves. The card has been tested with forty readers, and all but two could say when to pause.',
      ),
    ],
  },
  {
    name: 'canary-two',
    title: 'A registry of early anticoagulation after stroke',
    runningHead: 'Registry report 12',
    pieces: [
      {
        kind: 'table',
        wide: true,
        rows: [
          ['Question', 'Where', 'Who'],
          ['When to begin', 'eleven stroke units', '1204 adults'],
          ['Followed for', 'ninety days', 'all but 31'],
        ],
      },
      heading('Background'),
      text(
        'After an ischaemic stroke with atrial fibrilla~tion it is uncertain when anticoagu~lation should begin. Too early invites bleeding into the infarct; too late leaves the patient open to a second embolus. Practice differs between centres and even between the wards of one centre.',
      ),
      text(
        'The registry follows patients from eleven centres for ninety days. It has no influence on treatment: physicians decide as they always have, and record the day on which they began and why.',
      ),
      heading('Methods'),
      text(
        'Every adult with an infarct shown by imaging and fibrilla~tion known or found during the stay was asked to take part. Infarcts were graded as small, moderate or large by two readers who did not know the treatment. A third reader decided where the two did not agree, which was so in one case out of nine.',
      ),
      text(
        'The outcome was a second stroke, a bleeding inside the skull, or death from either within ninety days. Times were counted from the onset of the first symp~tom. Those who were lost to follow-up were counted up to the last day on which they were seen alive.',
      ),
      text(
        'No sample size was fixed before the start. The analysis was written down and stored with a date before the first data were opened, and the two places where we departed from it are named in the appendix.',
      ),
      heading('Results'),
      text(
        'Between spring and the following winter 1204 patients were followed. Half of them were older than seventy-eight. Treatment began on the third day in small infarcts, on the sixth in moderate ones and on the eleventh in large ones, with wide differ~ences between centres.',
      ),
      {
        kind: 'table',
        wide: false,
        rows: [
          ['Infarct', 'Patients', 'Stroke', 'Bleeding'],
          ['small', '611', '14', '3'],
          ['moderate', '402', '17', '6'],
          ['large', '191', '12', '9'],
        ],
      },
      text(
        'In small and moderate infarcts those who began within four days had fewer second strokes and no more bleed~ings than the others. In large infarcts the numbers are too small for a statement, and the direction changed with the model that was used.',
      ),
      text(
        'Age, blood pressure at admission and the use of a thrombo~lytic changed the figures little. Kidney function mattered: below a filtration rate of thirty there were twice as many bleedings at every time of beginning.',
      ),
      heading('Limits'),
      text(
        'A registry shows what happened, not what would have happened otherwise. Physicians who begin early may choose patients who look well. We weighted for what was recorded, but the look of a patient is not in the records, and we do not know how much it counts.',
      ),
      text(
        'Centres were of very different size. The largest treated a third of all patients, and without it the confidence limits of every result include the possibility of no difference at all.',
      ),
      heading('What follows'),
      text(
        'For small and moderate infarcts an early beginning seems to be safe enough to be tested in a trial in which chance decides. For large ones we would wait. Until then a ward should at least agree on one rule, write it down and look at its own figures once a year.',
      ),
      text(
        'The data without names are kept for fifteen years and may be asked for by other groups. A request states the question, the method and the persons who will see the data, and is answered within a month.',
      ),
      heading('Thanks'),
      text(
        'We thank the patients, their families and the nurses of the eleven stroke units, who wrote down times at moments when there was much else to do.',
      ),
    ],
  },
];
