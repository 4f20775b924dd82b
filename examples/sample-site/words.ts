/** The words around a text, in the page's language. */
export interface Words {
  site: string;
  slogan: string;
  home: string;
  sections: { wenku: string; speeches: string; book: string; rights: string };
  search: string;
  cookies: string;
  accept: string;
  decline: string;
  related: string;
  popular: string;
  previous: string;
  next: string;
  share: string;
  newsletter: string;
  subscribe: string;
  contents: string;
  calendar: string;
  rights: string;
  privacy: string;
  terms: string;
}

const ENGLISH: Words = {
  site: 'The Reading Room',
  slogan: 'Old books, speeches and declarations, free to read',
  home: 'Home',
  sections: { wenku: '中文书库', speeches: 'Speeches', book: 'Moby-Dick', rights: 'Human rights' },
  search: 'Search the site',
  cookies: 'We use cookies to remember where you stopped reading. You can change this at any time in the settings.',
  accept: 'Accept all',
  decline: 'Only necessary',
  related: 'You may also like',
  popular: 'Most read this week',
  previous: 'Previous page',
  next: 'Next page',
  share: 'Share this page',
  newsletter: 'One page a week, straight into your inbox.',
  subscribe: 'Subscribe',
  contents: 'Contents',
  calendar: 'Reading calendar',
  rights: 'All texts are in the public domain. © The Reading Room',
  privacy: 'Privacy policy',
  terms: 'Terms of use',
};

const CHINESE: Words = {
  site: '阅览室',
  slogan: '古今名著，免费在线阅读',
  home: '首页',
  sections: { wenku: '中文书库', speeches: '英文演说', book: '白鲸记', rights: '人权宣言' },
  search: '站内搜索',
  cookies: '本站使用 Cookie 记录您的阅读进度，您可以随时在设置中更改。',
  accept: '全部接受',
  decline: '仅限必要',
  related: '猜你喜欢',
  popular: '本周热门',
  previous: '上一页',
  next: '下一页',
  share: '分享到',
  newsletter: '每周一章，发送到您的邮箱。',
  subscribe: '订阅',
  contents: '目录',
  calendar: '阅读日历',
  rights: '本站文字均属公有领域 © 阅览室 版权所有',
  privacy: '隐私政策',
  terms: '使用条款',
};

const FRENCH: Partial<Words> = {
  site: 'La salle de lecture',
  slogan: 'Livres anciens, discours et déclarations en libre accès',
  home: 'Accueil',
  search: 'Rechercher sur le site',
  cookies: 'Nous utilisons des cookies pour retrouver votre page. Vous pouvez modifier ce choix à tout moment.',
  accept: 'Tout accepter',
  decline: 'Refuser',
  related: 'À lire aussi',
  popular: 'Les plus lus',
  previous: 'Page précédente',
  next: 'Page suivante',
  share: 'Partager',
  contents: 'Sommaire',
  calendar: 'Calendrier',
  privacy: 'Confidentialité',
  terms: 'Mentions légales',
};

const GERMAN: Partial<Words> = {
  site: 'Der Lesesaal',
  slogan: 'Alte Bücher, Reden und Erklärungen, frei zu lesen',
  home: 'Startseite',
  search: 'Suche',
  cookies: 'Wir verwenden Cookies, um Ihre Lesestelle zu merken. Sie können das jederzeit ändern.',
  accept: 'Alle annehmen',
  decline: 'Nur notwendige',
  related: 'Das könnte Sie auch interessieren',
  popular: 'Meistgelesen',
  previous: 'Vorige Seite',
  next: 'Nächste Seite',
  share: 'Teilen',
  contents: 'Inhalt',
  calendar: 'Kalender',
  privacy: 'Datenschutz',
  terms: 'Impressum',
};

const SPANISH: Partial<Words> = {
  site: 'La sala de lectura',
  home: 'Inicio',
  search: 'Buscar en el sitio',
  cookies: 'Usamos cookies para recordar dónde dejó de leer. Puede cambiarlo en cualquier momento.',
  accept: 'Aceptar todo',
  decline: 'Solo necesarias',
  related: 'También le puede interesar',
  popular: 'Lo más leído',
  previous: 'Página anterior',
  next: 'Página siguiente',
  share: 'Compartir',
  contents: 'Índice',
  privacy: 'Privacidad',
  terms: 'Aviso legal',
};

const RUSSIAN: Partial<Words> = {
  site: 'Читальный зал',
  home: 'Главная',
  search: 'Поиск по сайту',
  cookies: 'Мы используем файлы cookie, чтобы запомнить место чтения. Это можно изменить в любое время.',
  accept: 'Принять все',
  decline: 'Только необходимые',
  related: 'Читайте также',
  popular: 'Популярное',
  previous: 'Предыдущая страница',
  next: 'Следующая страница',
  share: 'Поделиться',
  contents: 'Содержание',
  privacy: 'Конфиденциальность',
  terms: 'Условия',
};

const ARABIC: Partial<Words> = {
  site: 'قاعة القراءة',
  slogan: 'كتب وخطب وإعلانات للقراءة الحرة',
  home: 'الرئيسية',
  search: 'ابحث في الموقع',
  cookies: 'نستخدم ملفات تعريف الارتباط لنتذكر موضع القراءة. يمكنك تغيير ذلك في أي وقت.',
  accept: 'قبول الكل',
  decline: 'الضرورية فقط',
  related: 'قد يعجبك أيضا',
  popular: 'الأكثر قراءة',
  contents: 'المحتويات',
  privacy: 'سياسة الخصوصية',
  terms: 'شروط الاستخدام',
};

const JAPANESE: Partial<Words> = {
  site: '読書室',
  home: 'ホーム',
  search: 'サイト内検索',
  cookies: '当サイトでは続きから読めるように Cookie を使用しています。設定はいつでも変更できます。',
  accept: 'すべて許可',
  decline: '必要なもののみ',
  related: 'おすすめ',
  popular: 'よく読まれている記事',
  contents: '目次',
  privacy: 'プライバシー',
  terms: '利用規約',
};

const PORTUGUESE: Partial<Words> = {
  site: 'A sala de leitura',
  home: 'Início',
  search: 'Pesquisar no site',
  cookies: 'Usamos cookies para lembrar onde parou de ler. Pode mudar isto a qualquer momento.',
  accept: 'Aceitar tudo',
  decline: 'Só os necessários',
  related: 'Leia também',
  popular: 'Mais lidos',
  contents: 'Índice',
  privacy: 'Privacidade',
  terms: 'Termos de uso',
};

const OTHERS: Record<string, Partial<Words>> = {
  fr: FRENCH,
  de: GERMAN,
  es: SPANISH,
  ru: RUSSIAN,
  ar: ARABIC,
  ja: JAPANESE,
  pt: PORTUGUESE,
};

/** The words of a language; English where there are none. */
export function wordsOf(language: string): Words {
  const base = language.split('-')[0]!;
  if (base === 'zh') return CHINESE;
  return { ...ENGLISH, ...OTHERS[base] };
}
