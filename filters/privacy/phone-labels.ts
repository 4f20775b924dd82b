const BEFORE_EN =
  /\b(?:tele?phone|phones?|tel|mobile?|cell(?:ular|phone)?|fax|call|calls|called|calling|dial(?:led|ing)?|ring|sms|text me|whatsapp|hotline|helpline|reach(?:ed)?|answering|messages?|contact|landline)\b|\b(?:office|desk)(?=\s?[:：])/gi;
const BEFORE_LETTER = /(?<![\w'’.])[TMFP](?=[:：])/g;
const BEFORE_ZH = /电话|手机|致电|拨打|来电|联系|传真|热线|座机|专线|咨询|微信/g;
/** Other things that numbers are: the nearest word decides. */
const OTHERS =
  /\b(?:licen[cs]e|passport|account|accounts|card|cards|iban|ssn|social security|order|invoice|zip|postcode|postal|isbn|issn|doi|patent|serial|version|sku|part|tracking|policy|case|page|pages|population|password|pin|code)\b|订单|单号|流水|条码|坐标|金额|合同|文献|浏览|编号|卡号|账号|身份证|邮编|型号|专利|书号|期号|价格|人民币|[¥$€£￥]/gi;
const AFTER = /^[\s\-–,;:(（\\/]{0,4}(?:office|fax|mobile?|desk|cell|home|phone|tel|work)\b/i;

const BEFORE_WINDOW = 48;
/** What may stand between a word for a phone and the number that is meant. */
const CLOSE =
  /^[\s:：.#=(（'"*-]{0,4}(?:(?:at|on|is|no|nr|number|us|me|him|her|them|for|or|号码|号|是|为|至|到)[\s:：.#]{0,3}){0,4}$/i;
const OTHER_WITHIN = 12;

/** What the words beside a number say: a phone (its word close by, or in the same stretch), another kind of number, nothing. */
export type Label = 'close' | 'near' | 'other' | null;

/** Reads the 48 characters before `start`; the nearest word decides. */
export function labelBefore(text: string, start: number): Label {
  const before = text.slice(Math.max(0, start - BEFORE_WINDOW), start);
  const phone = Math.max(lastEnd(before, BEFORE_EN), lastEnd(before, BEFORE_ZH), lastEnd(before, BEFORE_LETTER));
  const other = lastEnd(before, OTHERS);
  if (other > phone)
    return before.length - other <= OTHER_WITHIN && !before.slice(other).includes('\n') ? 'other' : null;
  if (phone === -1) return null;
  const between = before.slice(phone);
  if (/[.!?。！？]\s*\S/.test(between) || /\n\s*\n/.test(between)) return null;
  return CLOSE.test(between) ? 'close' : 'near';
}

/** A word for a phone straight after a number, as in `555-0199 (fax)`. */
export const labelAfter = (text: string, end: number): 'near' | null =>
  AFTER.test(text.slice(end, end + 12)) ? 'near' : null;

function lastEnd(text: string, pattern: RegExp): number {
  let end = -1;
  for (const m of text.matchAll(pattern)) end = m.index + m[0].length;
  return end;
}
