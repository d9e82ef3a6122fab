import { Playground } from '@/features/run/components/playground';
import { Header } from '@/ui/header';

export default function Page() {
  return (
    <>
      <Header />
      <Playground />
    </>
  );
}
